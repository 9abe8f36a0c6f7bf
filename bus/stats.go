package bus

// Stats counts what went over a connection since it was made.
type Stats struct {
	Connected     bool  // at this moment
	Reconnects    int64 // connections after the first
	SlowConsumers int64 // times that messages were dropped because this process took them in too slowly
	InMessages    int64 // from the server
	InBytes       int64
	OutMessages   int64 // to the server
	OutBytes      int64
}

// Stats returns the connection's counters.
func (c *Conn) Stats() Stats {
	s := c.nc.Stats()
	return Stats{
		Connected: c.nc.IsConnected(), Reconnects: int64(s.Reconnects), SlowConsumers: int64(c.interruptions.drops.Load()),
		InMessages: int64(s.InMsgs), InBytes: int64(s.InBytes), OutMessages: int64(s.OutMsgs), OutBytes: int64(s.OutBytes),
	}
}

// Connected says whether the connection is there at this moment; when it is not, and not closed, nats.go goes on trying.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Ended says whether the connection has ended for good: by Close, or because the server takes the credentials no more.
func (c *Conn) Ended() bool { return c.nc.IsClosed() }
