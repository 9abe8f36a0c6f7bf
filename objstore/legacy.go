package objstore

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"manta/internal/logs"
	"manta/internal/member"
)

// What a node that is gone has in the bucket goes after ownerGrace, and once more purgeAgain later: what it had sent before its end, or
// sends before it knows of it, may be written late. Every orphansEvery somebody looks for what owners have left of whom nobody heard:
// a whole cluster may have died. Variables, so that a test can shorten them.
var (
	ownerGrace   = 10 * time.Second
	purgeAgain   = time.Minute
	orphansEvery = 10 * time.Minute
)

// purgeTimeout bounds one purge.
const purgeTimeout = 30 * time.Second

// bury has purged what a node that is gone owned. All nodes that are there wait; when it is time one of them does it, and it does not
// matter who that is.
func (s *Store) bury(id member.ID) {
	s.group.Go(func(ctx context.Context) {
		for _, pause := range []time.Duration{ownerGrace, purgeAgain} {
			if member.Pause(ctx, pause); ctx.Err() != nil {
				return
			}
			s.dropCopiesOf(id)
			if heir, _ := s.node.Members.HeirOf(id); heir != s.node.ID {
				continue
			}
			if err := s.purge(ctx, id); err != nil && ctx.Err() == nil {
				s.node.Log.Warn("objects of a node that is gone stay in the bucket", logs.Peer(id), zap.Error(err))
			}
		}
	})
}

func (s *Store) purge(ctx context.Context, id member.ID) error {
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	if back, err := s.node.Members.There(ctx, id); back || err != nil {
		return err
	}
	return s.bucket.PurgeOwner(ctx, id.String(), func(object string) bool {
		o, err := ParseID(object)
		return err == nil && o.Owner() == id && !o.Durable()
	})
}

// lookForOrphans purges owners that have something in the bucket and were not there twice in a row, until ctx ends. The first node of all
// does it.
func (s *Store) lookForOrphans(ctx context.Context) {
	var missed map[member.ID]bool
	for pause := purgeAgain; ; pause = orphansEvery {
		if member.Pause(ctx, pause); ctx.Err() != nil {
			return
		}
		if first, _ := s.node.Members.HeirOf(member.ID{}); first != s.node.ID {
			continue
		}
		missing, err := s.orphaned(ctx)
		for id := range missing {
			if missed[id] {
				err = errors.Join(err, s.purge(ctx, id))
			}
		}
		missed = missing
		if err != nil && ctx.Err() == nil {
			s.node.Log.Warn("what nodes of old left in the bucket of objects stays there", zap.Error(err))
		}
	}
}

// orphaned returns the owners that have something in the bucket and are not there.
func (s *Store) orphaned(ctx context.Context) (missing map[member.ID]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	owners, err := s.bucket.Owners(ctx)
	missing = make(map[member.ID]bool)
	for owner := range owners {
		id, err := member.ParseID(owner)
		if err != nil {
			continue // somebody else's
		}
		if there, err := s.node.Members.There(ctx, id); err == nil && !there {
			missing[id] = true
		}
	}
	return missing, err
}
