package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"manta/actor"
	"manta/node/embedded"
	"manta/objstore"
	"manta/task"
)

// Account has an owner, who travels to where it lives, and a balance, which stays there.
type Account struct {
	Owner string

	balance int
}

var errOverdrawn = errors.New("overdrawn")

func init() { task.RegisterError("overdrawn", errOverdrawn) }

// Deposit needs no lock: calls run one at a time.
func (a *Account) Deposit(_ context.Context, amount int) (int, error) {
	if a.balance+amount < 0 {
		return a.balance, fmt.Errorf("%s has %d: %w", a.Owner, a.balance, errOverdrawn)
	}
	a.balance += amount
	return a.balance, nil
}

// Close runs last.
func (a *Account) Close() error {
	fmt.Println(a.Owner, "leaves with", a.balance)
	return nil
}

var accounts = actor.Define[Account]("account")

func Example() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	account := accounts.New(ctx, Account{Owner: "Ada"})
	deposit := actor.Method(account, (*Account).Deposit)

	balances, err := objstore.GetAll(ctx, deposit.Map(ctx, []int{10, 20, 30}))
	fmt.Println(balances, err)

	_, err = deposit.Call(ctx, -100)
	fmt.Println("overdrawn:", errors.Is(err, errOverdrawn))

	if err := account.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = deposit.Call(ctx, 1)
	fmt.Println("dead:", errors.Is(err, actor.ErrDead))
	// Output:
	// [10 30 60] <nil>
	// overdrawn: true
	// Ada leaves with 60
	// dead: true
}

// pay is a task that is given an actor.
var pay = task.Define2("pay", func(ctx context.Context, to actor.Ref[Account], amount int) (int, error) {
	return actor.Method(to, (*Account).Deposit).Call(ctx, amount)
})

func ExampleRef() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	account := accounts.New(ctx, Account{Owner: "Ada"})
	fmt.Println(pay.Call(ctx, account, 5))
	// Output:
	// 5 <nil>
}

func ExampleClass_GetOrNew() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	for range 3 { // whoever comes first creates it, on whichever node
		account := accounts.GetOrNew(ctx, "ada", Account{Owner: "Ada"})
		fmt.Println(actor.Method(account, (*Account).Deposit).Call(ctx, 5))
	}
	// Output:
	// 5 <nil>
	// 10 <nil>
	// 15 <nil>
}

// Teller is one of several that do the same.
type Teller struct{ Fee int }

func (t *Teller) Charge(_ context.Context, amount int) (int, error) { return amount + t.Fee, nil }

var tellers = actor.Define[Teller]("teller")

func ExamplePool() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	var open []actor.Ref[Teller]
	for range 4 {
		open = append(open, tellers.New(ctx, Teller{Fee: 1}))
	}
	pool, err := actor.NewPool((*Teller).Charge, open)
	if err != nil {
		log.Fatal(err)
	}
	for charged, err := range pool.Map(ctx, []int{10, 20, 30, 40, 50, 60}) {
		fmt.Println(charged, err)
	}

	pool.Submit(ctx, 70) // to whoever is free
	pool.Submit(ctx, 80)
	for pool.HasNext() {
		fmt.Println(pool.Next(ctx))
	}
	// Output:
	// 11 <nil>
	// 21 <nil>
	// 31 <nil>
	// 41 <nil>
	// 51 <nil>
	// 61 <nil>
	// 71 <nil>
	// 81 <nil>
}
