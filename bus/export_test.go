package bus

// ElsewhereNumbersLieOtherwise has this process read and write numbers as a platform does that is not little-endian, until the returned
// function is called.
func ElsewhereNumbersLieOtherwise() (restore func()) {
	was := littleEndian
	littleEndian = false
	return func() { littleEndian = was }
}

// LeastStructs is from how many bytes on a slice of structs is stored as it is.
const LeastStructs = leastStructs

// UnopenedBucket is a bucket that no stream has been made for: whoever serves its subjects plays JetStream.
func UnopenedBucket(c *Conn, name string) *Bucket { return &Bucket{conn: c, name: name} }

// Relayed is a bucket whose chunks go to another name's subjects first.
func Relayed(b *Bucket, name string) *Bucket {
	return &Bucket{conn: b.conn, name: name, stream: b.stream}
}

// Window bounds bytes that are under way.
type Window = window

// NewWindow returns a window of so many bytes.
func NewWindow(limit int64) *Window { return newWindow(limit) }

var (
	TryTake = (*window).tryTake
	Take    = (*window).take
	Give    = (*window).give
)

// ReadAck reads what JetStream answers to a message that it was to store.
func ReadAck(data []byte) (seq uint64, err error) { return readAck(&Msg{Data: data}) }

// AttemptOf reads the reply subject of a delivery.
func AttemptOf(reply string) (attempt int, err error) {
	d, err := (&Conn{}).deliveryOf(&Msg{Reply: reply})
	return d.Attempt, err
}

// TakeChunk gives an assembly a chunk.
var TakeChunk = (*Assembly).take
