//go:build !manta_routes

package main

import "manta/node/embedded"

// routeFlags are the flags of a server inside that is one of several.
func routeFlags(*embedded.Config) {}
