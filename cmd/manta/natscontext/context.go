// Package natscontext reads the contexts of the `nats` command: named sets of settings to connect with, which that command writes and selects.
//
//	~/.config/nats/context.txt           the name of the selected one
//	~/.config/nats/context/<name>.json   its settings
//
// XDG_CONFIG_HOME takes the place of ~/.config. Nothing is ever written. What a context can say and this package does not do (credentials at a
// password manager's or nsc's, a SOCKS proxy, the certificate store of Windows) is an error and not passed over.
package natscontext

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
)

// Context is how to connect. The zero Context says nothing.
type Context struct {
	Name string `json:"-"`

	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
	Token    string `json:"token"`
	Creds    string `json:"creds"` // a file
	NKey     string `json:"nkey"`  // a file with the seed
	UserJWT  string `json:"user_jwt"`
	UserSeed string `json:"user_seed"`

	Cert     string `json:"cert"` // files
	Key      string `json:"key"`
	CA       string `json:"ca"`
	TLSFirst bool   `json:"tls_first"`

	InboxPrefix string `json:"inbox_prefix"`

	NSC        string `json:"nsc"`
	SOCKSProxy string `json:"socks_proxy"`
	CertStore  string `json:"windows_cert_store"`
}

// Load reads the context of a name, or of a path that ends in .json; of no name the selected one, which is the zero Context if none is. It returns an
// error if there is no such context, which names those that there are, and if it asks for what this package does not do.
func Load(name string) (c Context, err error) {
	root, err := root()
	if err != nil {
		return c, err
	}
	if name == "" {
		if name, err = selected(root); name == "" || err != nil {
			return c, err
		}
	}
	path := filepath.Join(root, "context", name+".json")
	if strings.HasSuffix(name, ".json") {
		path = name
	} else if strings.ContainsAny(name, `/\`) || strings.Contains(name, "..") {
		return c, fmt.Errorf("%q is no name of a NATS context", name)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("there is no NATS context %q: %s", name, known(root))
	}
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return c, fmt.Errorf("NATS context %q: %w", name, err)
	}
	c.Name = name
	for _, file := range []*string{&c.Creds, &c.NKey, &c.Cert, &c.Key, &c.CA} {
		*file = expand(*file)
	}
	return c, c.check()
}

// root is where contexts are.
func root() (string, error) {
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("where NATS contexts are is not known: %w: set XDG_CONFIG_HOME", err)
		}
		config = filepath.Join(home, ".config")
	}
	return filepath.Join(config, "nats"), nil
}

func selected(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "context.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// known says in words which contexts there are.
func known(root string) string {
	files, _ := filepath.Glob(filepath.Join(root, "context", "*.json")) // the pattern is well-formed
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	if len(names) == 0 {
		return "there are none; `nats context add` makes one"
	}
	slices.Sort(names)
	return "there are " + strings.Join(names, ", ")
}

// expand puts variables and the home directory into a path.
func expand(path string) string {
	path = os.ExpandEnv(path)
	if home, err := os.UserHomeDir(); err == nil && (path == "~" || strings.HasPrefix(path, "~/")) {
		path = home + path[1:]
	}
	return strings.TrimPrefix(path, "file://")
}

// check refuses what would be passed over.
func (c Context) check() error {
	for _, s := range []struct{ what, value string }{{"nsc", c.NSC}, {"socks_proxy", c.SOCKSProxy}, {"windows_cert_store", c.CertStore}} {
		if s.value != "" {
			return fmt.Errorf("NATS context %q sets %s, which only the nats command does: give --creds, or another --context", c.Name, s.what)
		}
	}
	for _, s := range []struct{ what, value string }{
		{"creds", c.Creds}, {"nkey", c.NKey}, {"password", c.Password}, {"token", c.Token}, {"user_jwt", c.UserJWT}, {"user_seed", c.UserSeed},
	} {
		for _, scheme := range []string{"op://", "nsc://", "env://", "data:"} {
			if strings.HasPrefix(s.value, scheme) {
				return fmt.Errorf("NATS context %q has its %s at a %s address, which only the nats command resolves: give a file or a value", c.Name, s.what, scheme)
			}
		}
	}
	return nil
}

// Options are those of nats.go that connect so. The error names the file that cannot be used.
func (c Context) Options() (options []nats.Option, err error) {
	for _, f := range []struct{ what, path string }{
		{"creds", c.Creds}, {"nkey", c.NKey}, {"TLS certificate", c.Cert}, {"TLS key", c.Key}, {"TLS authority", c.CA},
	} {
		if f.path == "" {
			continue
		}
		if _, err := os.Stat(f.path); err != nil {
			return nil, fmt.Errorf("the %s: %w", f.what, err)
		}
	}
	switch {
	case c.User != "":
		options = append(options, nats.UserInfo(c.User, c.Password))
	case c.Creds != "":
		options = append(options, nats.UserCredentials(c.Creds))
	case c.NKey != "":
		seed, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("the nkey in %s: %w", c.NKey, err)
		}
		options = append(options, seed)
	case c.UserJWT != "":
		options = append(options, nats.UserJWTAndSeed(c.UserJWT, c.UserSeed))
	}
	if c.Token != "" {
		options = append(options, nats.Token(c.Token))
	}
	switch {
	case c.Cert != "" && c.Key != "":
		options = append(options, nats.ClientCert(c.Cert, c.Key))
	case c.Cert != "" || c.Key != "":
		return nil, errors.New("a TLS certificate needs its key, and a key its certificate: give both")
	}
	if c.CA != "" {
		options = append(options, nats.RootCAs(c.CA))
	}
	if c.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(c.InboxPrefix))
	}
	if c.TLSFirst {
		options = append(options, nats.TLSHandshakeFirst())
	}
	return options, nil
}
