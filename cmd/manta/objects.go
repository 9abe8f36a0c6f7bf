package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"manta/node"
	"manta/objstore"
)

func objectCommand(f *flags) *cobra.Command {
	return family("object", "Put, read and free objects", "  id=$(manta object put picture.png)\n  manta object get $id > picture.png",
		putObjectCommand(f), getObjectCommand(f), freeObjectCommand(f))
}

func putObjectCommand(f *flags) *cobra.Command {
	var ttl time.Duration
	var asValue bool
	cmd := &cobra.Command{
		Use:   "put FILE",
		Short: "Store a file as a durable object and print its id",
		Long: `Put stores the bytes of a file, or of stdin if it is "-", as a durable object, which outlives every process until it is freed, and prints its id. A Go program
reads it as a []byte; with --json it is the value that the file has in JSON.`,
		Example: `  manta object put picture.png
  manta object put - --ttl 1h < log.txt
  manta call sum "{\"\$ref\": \"$(echo '[1, 2, 3]' | manta object put - --json)\"}"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readFile(cmd, args[0])
			if err != nil {
				return err
			}
			var value any = data
			if asValue {
				if value, err = valueOf(data); err != nil {
					return usagef("%s has no JSON: %w", args[0], err)
				}
			}
			options := []objstore.Option{objstore.Durable()}
			if cmd.Flags().Changed("ttl") {
				options = append(options, objstore.TTL(ttl))
			}
			f.tells = true // of the object
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.patient(ctx)
				defer cancel()
				ref := put(ctx, value, options)
				if err := ref.Stored(ctx); err != nil {
					return err
				}
				return f.output.value(cmd, struct {
					ID    objstore.ID `json:"id"`
					Bytes int         `json:"bytes"`
				}{ref.ID(), len(data)}, func() string { return ref.ID().String() + "\n" })
			})
		},
	}
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "free it after this `time` (default: never)")
	cmd.Flags().BoolVar(&asValue, "json", false, "the file has a value in JSON: store that, not the file's bytes")
	return cmd
}

// put stores bytes as bytes.
func put(ctx context.Context, value any, options []objstore.Option) objstore.Ref[any] {
	if data, ok := value.([]byte); ok {
		return objstore.Put(ctx, data, options...).Any()
	}
	return objstore.Put(ctx, value, options...)
}

// readFile reads a file, or stdin if its name is "-".
func readFile(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError{err}
	}
	return data, nil
}

// valueOf is a value in JSON, in which whole numbers are such.
func valueOf(data []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF { //nolint:errorlint // a decoder returns it as it is
		return nil, fmt.Errorf("there is more than one value")
	}
	return numbered(value), nil
}

func numbered(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		number, _ := value.Float64() // it is a number
		return number
	case []any:
		for i := range value {
			value[i] = numbered(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = numbered(value[key])
		}
	}
	return value
}

func getObjectCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Read an object, or a task's result",
		Long: `Get waits for the value of an object, or a task's result, and writes it: bytes and texts as they are, anything else as JSON. With -o json, jsonl or yaml they
too are written so, bytes in base 64.`,
		Example: `  manta object get 0t4g8dl5qk1b2o0000000000c8 > picture.png
  manta object get 0t4g8dl5qk1b2o0000000000c8 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.patient(ctx)
				defer cancel()
				value, err := objstore.Read(ctx, id)
				if err != nil {
					return err
				}
				if data, ok := value.Bytes(); ok && f.output.format == asTable {
					_, err := cmd.OutOrStdout().Write(data)
					return err
				}
				text, err := value.JSON()
				if err != nil {
					return err
				}
				return f.output.raw(cmd.OutOrStdout(), text)
			})
		},
	}
	return cmd
}

func freeObjectCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "free ID…",
		Short:   "Delete objects in every place",
		Example: "  manta object free 0t4g8dl5qk1b2o0000000000c8",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			refs := make([]objstore.Ref[any], len(args))
			for i, arg := range args {
				id, err := parseID(arg)
				if err != nil {
					return err
				}
				refs[i] = objstore.RefTo[any](objstore.Named(id))
			}
			f.tells = true // of the objects
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.bounded(ctx)
				defer cancel()
				return objstore.Free(ctx, refs...)
			})
		},
	}
}
