package objstore

import (
	"sync/atomic"

	"manta/internal/member"
)

// heed follows who comes and goes. What a node that left holds is forgotten a while later, by forgetAbsent: it may come back.
func (s *Store) heed() {
	var away atomic.Bool // this node itself was taken for dead
	s.node.Members.Watch(member.Watcher{
		Joined: func(info member.Info) {
			if info.ID == s.node.ID && away.Swap(false) {
				s.holdAnew()
			}
		},
		Left: func(id member.ID) {
			if id == s.node.ID {
				away.Store(true)
				return
			}
			s.bury(id)
		},
	})
	s.unhear = s.node.Conn.OnReconnect(s.holdAnew)
}
