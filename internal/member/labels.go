package member

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The longest parts of a label, in bytes, as in Kubernetes.
const (
	labelLimit  = 63
	prefixLimit = 253
)

// CheckLabels names the first label that is wrong. Names and values are Kubernetes': a name may have a domain before it, a value may be
// empty.
func CheckLabels(labels map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if err := checkLabelName(name); err != nil {
			return err
		}
		if err := checkLabelValue(labels[name]); err != nil {
			return fmt.Errorf("label %s: %w", name, err)
		}
	}
	return nil
}

// checkLabelName takes for example "zone" and "example.com/zone".
func checkLabelName(name string) error {
	domain, rest, prefixed := strings.Cut(name, "/")
	if prefixed && !isDomain(domain) {
		return fmt.Errorf("label name %q: what stands before '/' is to be a domain in lower case, for example example.com/zone", name)
	}
	if !prefixed {
		rest = name
	}
	if rest == "" || !isLabel(rest) {
		return fmt.Errorf("label name %q: want up to %d letters, digits, '-', '_' and '.', the first and the last a letter or digit", name, labelLimit)
	}
	return nil
}

func checkLabelValue(value string) error {
	if value != "" && !isLabel(value) {
		return fmt.Errorf("value %q: want nothing, or up to %d letters, digits, '-', '_' and '.', the first and the last a letter or digit", value, labelLimit)
	}
	return nil
}

func isLabel(s string) bool {
	for i := range len(s) {
		inside := i > 0 && i < len(s)-1
		if !isAlphanumeric(s[i]) && !(inside && strings.IndexByte("-_.", s[i]) >= 0) {
			return false
		}
	}
	return len(s) <= labelLimit
}

func isDomain(s string) bool {
	for _, part := range strings.Split(s, ".") {
		if part == "" || !isLabel(part) || strings.ContainsRune(part, '_') || part != strings.ToLower(part) {
			return false
		}
	}
	return len(s) <= prefixLimit
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// LabelText returns for example "arch=arm zone=eu", sorted by name, and "no labels" for none.
func LabelText(labels map[string]string) string {
	if len(labels) == 0 {
		return "no labels"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+"="+labels[name])
	}
	return strings.Join(parts, " ")
}
