package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"manta/cmd/manta/natscontext"
	"manta/node"
)

// defaultTimeout is the nats command's.
const defaultTimeout = 5 * time.Second

// connection is the flags that say how to connect: those of the nats command, with its variables.
type connection struct {
	given     natscontext.Context // by flags and variables: what stands here counts more than the context
	context   string
	namespace string
	caller    string
	timeout   time.Duration
	joining   time.Duration // how long joining the cluster may take, which a short timeout for results does not mean
	patience  bool          // the timeout was given: it bounds the wait for results too
	verbose   bool
	tells     bool // the node tells the cluster of what it does, since that stays
}

// variable is the one that stands for a flag that is not given. It is not the flag's default, which help shows.
var variable = map[string]string{
	"server": "NATS_URL", "user": "NATS_USER", "password": "NATS_PASSWORD", "token": "NATS_TOKEN", "creds": "NATS_CREDS", "nkey": "NATS_NKEY",
	"tlscert": "NATS_CERT", "tlskey": "NATS_KEY", "tlsca": "NATS_CA", "context": "NATS_CONTEXT", "timeout": "NATS_TIMEOUT",
	"namespace": "MANTA_NAMESPACE", "caller": "MANTA_CALLER",
}

func (c *connection) addTo(set *pflag.FlagSet) {
	text := func(target *string, name, short, usage string) {
		set.StringVarP(target, name, short, "", usage+" ($"+variable[name]+")")
	}
	text(&c.given.URL, "server", "s", "the `URL` of a NATS server, or several with commas between them")
	text(&c.given.User, "user", "", "the `name` of a user, or without --password a token")
	text(&c.given.Password, "password", "", "the user's `password`")
	text(&c.given.Token, "token", "", "a `token`")
	text(&c.given.Creds, "creds", "", "a `file` with a user's credentials")
	text(&c.given.NKey, "nkey", "", "a `file` with a user's nkey seed")
	text(&c.given.Cert, "tlscert", "", "a `file` with a TLS certificate")
	text(&c.given.Key, "tlskey", "", "a `file` with its key")
	text(&c.given.CA, "tlsca", "", "a `file` with the TLS authorities to trust")
	set.BoolVar(&c.given.TLSFirst, "tlsfirst", false, "begin with TLS, before the server's greeting")
	text(&c.context, "context", "", "the `name` of a context of the nats command, or a file with one (default: the selected one)")
	set.DurationVar(&c.timeout, "timeout", defaultTimeout, "how long to wait for answers, and for results if it is given ($"+variable["timeout"]+")")
	text(&c.namespace, "namespace", "", "the `name` of the cluster among those that share the server (default: default)")
	text(&c.caller, "caller", "", "call as this `user`, with the permissions of a caller and no others")
	set.BoolVarP(&c.verbose, "verbose", "v", false, "tell on stderr what goes on")
}

// read completes what was given by what the variables say.
func (c *connection) read(set *pflag.FlagSet) error {
	for name, variable := range variable {
		flag := set.Lookup(name)
		if flag == nil || flag.Changed {
			continue
		}
		if value := os.Getenv(variable); value != "" {
			if err := set.Set(name, value); err != nil {
				return usagef("%s is %q: %w", variable, value, err)
			}
		}
	}
	flag := set.Lookup("timeout")
	c.patience = flag != nil && flag.Changed
	if c.timeout <= 0 {
		return usagef("--timeout is %v: want a duration above 0, such as 30s", c.timeout)
	}
	c.joining = max(c.timeout, defaultTimeout)
	if c.given.User != "" && c.given.Password == "" {
		c.given.User, c.given.Token = "", cmp.Or(c.given.Token, c.given.User)
	}
	return nil
}

// resolve merges what was given with the context. Credentials of one kind that were given take the place of all in the context.
func (c *connection) resolve() (natscontext.Context, error) {
	merged, err := natscontext.Load(c.context)
	if err != nil {
		return merged, usageError{err}
	}
	given := c.given
	if given.User != "" || given.Token != "" || given.Creds != "" || given.NKey != "" {
		merged.User, merged.Password, merged.Token, merged.Creds, merged.NKey = given.User, given.Password, given.Token, given.Creds, given.NKey
		merged.UserJWT, merged.UserSeed = "", ""
	}
	merged.URL = cmp.Or(given.URL, merged.URL, nats.DefaultURL)
	merged.Cert, merged.Key, merged.CA = cmp.Or(given.Cert, merged.Cert), cmp.Or(given.Key, merged.Key), cmp.Or(given.CA, merged.CA)
	merged.TLSFirst = given.TLSFirst || merged.TLSFirst
	return merged, nil
}

// config is that of a node which serves nothing.
func (c *connection) config(cmd *cobra.Command) (node.Config, error) {
	how, err := c.resolve()
	if err != nil {
		return node.Config{}, err
	}
	options, err := how.Options()
	if err != nil {
		return node.Config{}, usageError{err}
	}
	cfg := node.Config{
		URL: how.URL, Options: options, Namespace: c.namespace, Name: "manta " + cmd.Name(), Logger: c.logger(cmd),
		ClientOnly: true, Caller: c.caller, SharedDir: "off",
	}
	if !c.tells {
		cfg.EventRate = -1 // that it came and went is no news
	}
	return cfg, nil
}

// logger tells of everything on stderr if that is wanted, else of nothing: errors say what went wrong.
func (c *connection) logger(cmd *cobra.Command) *zap.Logger {
	if !c.verbose {
		return zap.NewNop()
	}
	return logTo(cmd, zapcore.DebugLevel)
}

func logTo(cmd *cobra.Command, level zapcore.Level) *zap.Logger {
	how := zap.NewDevelopmentEncoderConfig()
	how.EncodeCaller = nil
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(how), zapcore.Lock(zapcore.AddSync(cmd.ErrOrStderr())), level))
}

// join makes the command a node of the cluster while do runs. The ctx of do carries the node.
func (c *connection) join(cmd *cobra.Command, do func(ctx context.Context, n *node.Node) error) error {
	cfg, err := c.config(cmd)
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeoutCause(cmd.Context(), c.joining, c.late("the cluster does not answer"))
	defer cancel()
	n, _, err := node.Start(starting, cfg)
	if err != nil {
		return unreachable{err}
	}
	return errors.Join(do(n.Context(cmd.Context()), n), n.Close())
}

// bounded is a ctx for questions, which are answered at once or not at all.
func (c *connection) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.timeout, c.late("there is no answer"))
}

// patient is a ctx for results, which take as long as they take unless --timeout was given.
func (c *connection) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	if !c.patience {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, c.timeout, c.late("there is no result"))
}

// late is the error of what did not come in time.
func (c *connection) late(what string) error {
	return fmt.Errorf("%s within %v (--timeout): %w", what, c.timeout, context.DeadlineExceeded)
}
