package actor

import (
	"manta/internal/member"
	"manta/objstore"
)

// answersBytes is the size at which a message of answers is sent at the latest.
const answersBytes = 16 << 10

// answers is a message of answers to a caller's lane.
type answers struct {
	frame []byte
	count int
	most  uint64 // the highest of their places
}

// newAnswers begins a message, with room for about as many bytes as it will have.
func newAnswers(host member.ID, epoch uint64, lane, room int) answers {
	room = max(64, min(room, answersBytes))
	return answers{frame: appendAnswers(make([]byte, 0, room), host, epoch, lane)}
}

// add adds a call's outcome.
func (a *answers) add(place, number uint64, out *objstore.Outcome) {
	a.frame = appendAnswer(a.frame, place, number, out)
	a.most = max(a.most, place)
	a.count++
}

// append adds an answer of another message.
func (a *answers) append(answer []byte) {
	a.frame = append(a.frame, answer...)
	a.count++
}

// full says whether the message is to be sent at once.
func (a *answers) full() bool { return a.count >= batchCalls || len(a.frame) >= answersBytes }

// seal returns the message as it is sent.
func (a *answers) seal() []byte {
	a.frame[answersHead-1] = byte(a.count)
	return a.frame
}

// each yields the answers.
func (a *answers) each(yield func(place uint64, answer []byte) bool) {
	if a.count == 0 {
		return
	}
	_, r, _ := readAnswers(a.frame)
	for r.Left() > 0 && r.Err() == nil {
		begin := len(a.frame) - r.Left()
		place, _, _ := readAnswer(&r)
		if !yield(place, a.frame[begin:len(a.frame)-r.Left()]) {
			return
		}
	}
}
