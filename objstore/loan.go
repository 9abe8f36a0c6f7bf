package objstore

import (
	"manta/bus"
	"manta/internal/member"
)

// loan is refs that were sent to a node and are kept here until it has registered with their owners.
type loan struct {
	refs *bus.Refs
	to   member.ID
	age  int // in sweeps
}

// loanName is what a loan is called between two nodes.
type loanName struct {
	lender member.ID
	number uint64
}

// loanTicks is how many sweeps a loan lasts at the longest: what has not come to the other node after ten minutes never will.
const loanTicks = 600

// Lend keeps what an outcome that is about to be sent to a node names, until that says that it is kept there, or not wanted.
func (s *Store) Lend(out *Outcome, to member.ID) {
	refs := out.Refs()
	if refs == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastLoan++
	s.loans[s.lastLoan] = &loan{refs: refs, to: to}
	refs.Lender, refs.Loan = s.node.ID, s.lastLoan
}

// repay tells a lender that its loan is over; the store is locked.
func (s *Store) repay(l loanName) {
	if l.lender == s.node.ID {
		delete(s.loans, l.number)
		return
	}
	s.say(l.lender, note{kind: noteKept, number: l.number})
}

// Decline tells who lent what a value names that nobody here wants it. Nil refs are passed over.
func (s *Store) Decline(refs *bus.Refs) {
	if refs == nil || refs.Loan == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repay(loanName{refs.Lender, refs.Loan})
	refs.Loan = 0
}

// forgetLoans ends loans that have lasted too long; the store is locked.
func (s *Store) forgetLoans() {
	for n, l := range s.loans {
		if l.age++; l.age > loanTicks {
			delete(s.loans, n)
		}
	}
}
