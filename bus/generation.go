package bus

// Generation is a placeholder.
func (c *Conn) Generation() uint64 { return 1 }

// OnReconnect is a placeholder.
func (c *Conn) OnReconnect(f func()) {}
