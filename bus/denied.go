package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// ErrDenied is the error of what the user's permissions at the NATS server do not allow. Nothing of it has reached anybody.
var ErrDenied = RegisterError("denied", errors.New("the NATS server does not permit it: give the user the permissions of its role, as docs/permissions has them"))

// deniedWords is how a server says what it has not permitted.
var deniedWords = regexp.MustCompile(`(?i)(Publish|Subscription) to "(\S+)"`)

// denials hands the server's word that it has not permitted a publish to those who wait for what that was to bring.
type denials struct {
	mu        sync.Mutex
	listeners map[int]func(subject string, err error)
	last      int // key in listeners
}

// note takes in an error of nats.go's.
func (d *denials) note(err error) {
	words := deniedWords.FindStringSubmatch(err.Error())
	if words == nil || !strings.EqualFold(words[1], "publish") {
		return
	}
	d.mu.Lock()
	listeners := slices.Collect(maps.Values(d.listeners))
	d.mu.Unlock()
	for _, hear := range listeners {
		hear(words[2], denied(err))
	}
}

// denied gives a permission violation this project's word.
func denied(err error) error {
	if words := deniedWords.FindStringSubmatch(err.Error()); words != nil {
		return fmt.Errorf("%w: %s to %s", ErrDenied, strings.ToLower(words[1]), words[2])
	}
	return fmt.Errorf("%w: %w", ErrDenied, err)
}

// OnDenied calls hear with the subject of each publish that the server does not permit, and with an ErrDenied that says so. hear must not
// block: nats.go calls it. The last call may still be running when stop returns.
func (c *Conn) OnDenied(hear func(subject string, err error)) (stop func()) {
	d := &c.denials
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listeners == nil {
		d.listeners = make(map[int]func(string, error))
	}
	d.last++
	key := d.last
	d.listeners[key] = hear
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.listeners, key)
	}
}

// untilDenied returns a ctx that ends with ErrDenied, too, when the server does not permit a publish to a subject that matches.
func (c *Conn) untilDenied(ctx context.Context, match func(subject string) bool) (bounded context.Context, stop func()) {
	bounded, cancel := context.WithCancelCause(ctx)
	unhear := c.OnDenied(func(subject string, err error) {
		if match(subject) {
			cancel(err)
		}
	})
	return bounded, func() {
		unhear()
		cancel(nil)
	}
}

// ask is patiently for what asks JetStream: that it is not permitted is known at once.
func ask[T any](ctx context.Context, c *Conn, do func(ctx context.Context) (T, error)) (T, error) {
	bounded, stop := c.untilDenied(ctx, func(subject string) bool { return strings.HasPrefix(subject, "$") })
	defer stop()
	v, err := patiently(bounded, do)
	if cause := context.Cause(bounded); err != nil && errors.Is(cause, ErrDenied) {
		err = cause
	}
	return v, err
}

// Permitted waits until the server has seen everything sent so far, and returns ErrDenied if it has not permitted some of it.
func (c *Conn) Permitted(ctx context.Context) error {
	if err := c.Flush(ctx); err != nil {
		return err
	}
	if err := c.nc.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return denied(err)
	}
	return nil
}
