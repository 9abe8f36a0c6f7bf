//go:build !linux || !(amd64 || arm64)

package bench

// NeighbourMain does nothing: where processes share no memory Run needs no neighbours.
func NeighbourMain() {}
