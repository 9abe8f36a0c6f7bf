package main

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// payloadOf makes the payload of a request of arguments in JSON: none, one, or an array of several. "-" is what stdin has.
func payloadOf(cmd *cobra.Command, args []string) (json.RawMessage, error) {
	values := make([]json.RawMessage, len(args))
	for i, arg := range args {
		text := []byte(arg)
		if arg == "-" {
			var err error
			if text, err = io.ReadAll(cmd.InOrStdin()); err != nil {
				return nil, err
			}
		}
		if !json.Valid(text) {
			return nil, usagef("argument %d is %q, which is no JSON: a text is written '\"%s\"', with both quotes", i+1, clip(arg), clip(arg))
		}
		values[i] = text
	}
	switch len(values) {
	case 0:
		return nil, nil
	case 1:
		return values[0], nil
	}
	return json.Marshal(values)
}

// clip shows the beginning of what may be long.
func clip(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return text
}

// headersOf reads headers as the nats command takes them, Name:Value.
func headersOf(headers []string, id string) (map[string]string, error) {
	all := make(map[string]string)
	for _, header := range headers {
		name, value, ok := strings.Cut(header, ":")
		if !ok || name == "" {
			return nil, usagef("--header is %q: want Name:Value", header)
		}
		all[name] = strings.TrimSpace(value)
	}
	if id != "" {
		all["Manta-Id"] = id
	}
	return all, nil
}

// requestFlags are those of what asks for something to be done.
type requestFlags struct {
	headers []string
	id      string
}

func (r *requestFlags) addTo(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&r.headers, "header", "H", nil, "a header of the request, `Name:Value`: PROTOCOL.md has those that count")
	cmd.Flags().StringVar(&r.id, "id", "", "a `name` for the request: sent again within 10 minutes it is not made again, and has the same answer")
}
