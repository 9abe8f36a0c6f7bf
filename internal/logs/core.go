package logs

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"manta/bus"
)

// Logger returns the logger of some work: its lines go to log, and with what it does to fields and levels, to the cluster too. A nil Sender sends
// nothing.
func (s *Sender) Logger(log *zap.Logger, w Work) *zap.Logger {
	log = log.With(w.Fields()...)
	if s == nil {
		return log
	}
	return log.WithOptions(zap.WrapCore(func(own zapcore.Core) zapcore.Core {
		return zapcore.NewTee(own, &core{sender: s, own: own, owner: w.Owner, enc: encoder(s.config.Node, s.config.Name, w), bare: encoder(s.config.Node, s.config.Name, w)})
	}))
}

// core is the way to the cluster of one work's lines.
type core struct {
	sender *Sender
	own    zapcore.Core // the other way
	owner  string
	enc    zapcore.Encoder
	bare   zapcore.Encoder // without the user's fields
}

// Enabled implements zapcore.LevelEnabler: what explains itself only to who looks for a fault stays where it is, unless the node's log has it too.
func (c *core) Enabled(level zapcore.Level) bool {
	return level >= zapcore.InfoLevel || c.own.Enabled(level)
}

// With implements zapcore.Core.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	more := *c
	more.enc = c.enc.Clone()
	for _, f := range fields {
		f.AddTo(more.enc)
	}
	return &more
}

// Check implements zapcore.Core.
func (c *core) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write implements zapcore.Core. It does not block.
func (c *core) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	if c.sender.full(c.owner) { // it need not be encoded
		return nil
	}
	line, err := c.enc.EncodeEntry(entry, fields)
	if err != nil {
		return err
	}
	defer line.Free()
	if line.Len() <= maxLine {
		c.sender.add(line.Bytes(), c.owner)
		return nil
	}
	entry.Message = bus.Clip(entry.Message, maxMessage)
	short, err := c.bare.EncodeEntry(entry, []zapcore.Field{zap.Int("cut_bytes", line.Len())})
	if err != nil {
		return err
	}
	defer short.Free()
	c.sender.add(short.Bytes(), c.owner)
	return nil
}

// Sync implements zapcore.Core. What is sent is sent a moment later.
func (c *core) Sync() error { return nil }

const (
	// maxLine bounds a line in bytes: of a longer one only the message is sent, and of that as much as maxMessage.
	maxLine    = 32 << 10
	maxMessage = 4 << 10
)
