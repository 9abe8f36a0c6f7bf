package call

// Live is how many ctxs are watched.
func (ws *Watches) Live() int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return len(ws.live)
}
