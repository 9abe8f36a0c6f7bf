package embedded

import "net"

// heldBack is how many bytes of the first write wait for the second: with it they are few enough for one read of the server's.
const heldBack = 16

// greeting is a client's end of a connection in process, to a server that may refuse it. A pipe has no buffer: a server that refuses what it has
// read of a greeting, while the client still writes the rest of it, would wait ten seconds for the client to listen. So the end of the
// first write, the credentials, travels with the second.
type greeting struct {
	net.Conn
	held []byte
	done bool
}

func (g *greeting) Write(data []byte) (int, error) {
	switch {
	case g.done:
		return g.Conn.Write(data)
	case g.held == nil:
		cut := max(0, len(data)-heldBack)
		g.held = append(make([]byte, 0, 2*heldBack), data[cut:]...)
		if _, err := g.Conn.Write(data[:cut]); err != nil {
			return 0, err
		}
		return len(data), nil
	}
	g.done = true
	if _, err := g.Conn.Write(append(g.held, data...)); err != nil {
		return 0, err
	}
	return len(data), nil
}
