// Package freeport finds TCP ports for servers whose address others must know before they listen: the routes of a cluster.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	// lowest and highest bound the ports that are tried. A connection that goes out takes a local port too, of 32768 and up on
	// Linux and 49152 and up elsewhere (the default of net.ipv4.ip_local_port_range, RFC 6335): one of those can be gone
	// between the moment it is found free and the one in which a server listens on it.
	lowest, highest = 10_000, 32_767
	tries           = 100
)

// Find returns a port of host, an IP address or a name of this machine, on which nothing listens. It is not reserved: who
// finds two should check that they differ.
func Find(host string) (port int, err error) {
	for range tries {
		port = lowest + rand.IntN(highest-lowest+1)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("no port of %s can be listened on: %w", host, err)
}

// Loopback returns n addresses of 127.0.0.1 on which nothing listens, all different.
func Loopback(n int) (addresses []string, err error) {
	const host = "127.0.0.1"
	taken := make(map[int]bool, n)
	for len(addresses) < n {
		port, err := Find(host)
		if err != nil {
			return nil, err
		}
		if !taken[port] {
			taken[port] = true
			addresses = append(addresses, net.JoinHostPort(host, strconv.Itoa(port)))
		}
	}
	return addresses, nil
}
