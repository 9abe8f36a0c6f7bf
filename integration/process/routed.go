package main

import (
	"flag"
	"strings"

	"manta/node/embedded"
)

// routeFlags are the flags of a server inside that is one of several.
func routeFlags(cfg *embedded.Config) {
	flag.StringVar(&cfg.ClusterName, "cluster-name", "", "the `name` of the servers' cluster")
	flag.StringVar(&cfg.ClusterListen, "cluster-listen", "", "where the server inside listens for other servers, `host:port`")
	flag.Func("routes", "`URLs` of the other servers, comma-separated", func(urls string) error {
		cfg.Routes = strings.Split(urls, ",")
		return nil
	})
}
