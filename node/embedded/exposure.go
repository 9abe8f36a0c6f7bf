package embedded

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/nats-io/nats-server/v2/server"
)

// readServerConfig reads Config.ServerConfig; without one the options are empty. What Config has fields for may not stand in it.
func (c Config) readServerConfig() (*server.Options, error) {
	if c.ServerConfig == "" {
		return &server.Options{}, nil
	}
	opts, err := server.ProcessConfigFile(c.ServerConfig)
	if err != nil {
		return nil, fmt.Errorf("Config.ServerConfig: %w", err)
	}
	for _, said := range []struct {
		what, field string
		set         bool
	}{
		{"a host or port", "Listen", opts.Host != "" || opts.Port != 0},
		{"store_dir", "Dir", opts.StoreDir != ""},
		{"where its cluster listens", "ClusterListen", opts.Cluster.Host != "" || opts.Cluster.Port != 0},
		{"routes", "Routes", len(opts.Routes) > 0},
		{"a cluster's name", "ClusterName", opts.Cluster.Name != ""},
		{"a server's name", "ClusterListen, which names the server", opts.ServerName != ""},
	} {
		if said.set {
			return nil, fmt.Errorf("Config.ServerConfig: %s sets %s: leave that to Config.%s", c.ServerConfig, said.what, said.field)
		}
	}
	return opts, nil
}

// checkExposure refuses what other machines may reach without credentials and TLS, unless Insecure says that they may.
func (c Config) checkExposure(opts *server.Options) error {
	if c.Insecure {
		return nil
	}
	credentials := asksForCredentials(opts)
	for _, open := range []struct {
		field, address string
		guarded        bool
		fix            string
	}{
		{"Config.Listen", c.Listen, credentials && opts.TLSConfig != nil && !opts.AllowNonTLS, "users and a certificate, as docs/permissions/nats.conf has them"},
		{"Config.ClusterListen", c.ClusterListen, opts.Cluster.TLSConfig != nil, "a certificate for routes, cluster { tls { cert_file, key_file, ca_file } }"},
	} {
		if open.address != "" && !loopback(open.address) && !open.guarded {
			return fmt.Errorf("%s is %q, which other machines may reach, without credentials and TLS: listen on 127.0.0.1, "+
				"or set Config.ServerConfig to a file with %s, or set Config.Insecure", open.field, open.address, open.fix)
		}
	}
	for _, port := range []struct {
		name, host string
		number     int
		guarded    bool
	}{
		{"websocket", opts.Websocket.Host, opts.Websocket.Port, credentials && opts.Websocket.TLSConfig != nil},
		{"mqtt", opts.MQTT.Host, opts.MQTT.Port, credentials && opts.MQTT.TLSConfig != nil},
		{"leafnodes", opts.LeafNode.Host, opts.LeafNode.Port, credentials && opts.LeafNode.TLSConfig != nil},
		{"gateway", opts.Gateway.Host, opts.Gateway.Port, opts.Gateway.TLSConfig != nil},
		{"http", opts.HTTPHost, opts.HTTPPort, false},
		{"https", opts.HTTPHost, opts.HTTPSPort, false},
		{"prof_port", "", opts.ProfPort, false},
	} {
		if address := net.JoinHostPort(port.host, "0"); port.number != 0 && !port.guarded && !loopback(address) {
			return fmt.Errorf("Config.ServerConfig: %s opens %s to other machines without credentials and TLS: let it listen on 127.0.0.1, or set Config.Insecure",
				c.ServerConfig, port.name)
		}
	}
	return nil
}

// asksForCredentials says whether a server knows its clients. One that has a user for those who name none does not.
func asksForCredentials(opts *server.Options) bool {
	if opts.NoAuthUser != "" {
		return false
	}
	return opts.Username != "" || opts.Authorization != "" || len(opts.Users) > 0 || len(opts.Nkeys) > 0 || len(opts.TrustedOperators) > 0 ||
		len(opts.TrustedKeys) > 0 || opts.AuthCallout != nil || opts.TLSConfig != nil && opts.TLSConfig.ClientAuth == tls.RequireAndVerifyClientCert
}

// loopback says whether no other machine can reach an address, host:port.
func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address) // validated
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
