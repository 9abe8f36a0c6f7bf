package member

import (
	"fmt"
	"slices"
	"strings"
)

// Selector is requirements on a node's labels, all of which must hold. The zero Selector holds for every node.
type Selector []requirement

// requirement is one part of a selector. A node without the label meets those that refuse values, and none of those that want one.
type requirement struct {
	label  string
	how    relation
	values []string // sorted, no two the same
}

type relation byte

const (
	isIn      relation = iota // also "=", which is isIn of one value
	isNotIn                   // also "!="
	isThere                   // whatever its value
	isMissing                 // there is no such label
)

// Matches says whether labels meet all requirements.
func (s Selector) Matches(labels map[string]string) bool {
	for _, r := range s {
		value, there := labels[r.label]
		among := there && slices.Contains(r.values, value)
		met := false
		switch r.how {
		case isIn:
			met = among
		case isNotIn:
			met = !among
		case isThere:
			met = there
		case isMissing:
			met = !there
		}
		if !met {
			return false
		}
	}
	return true
}

// String returns the selector in the form that ParseSelector reads; the same text for the same requirements in whatever order.
func (s Selector) String() string {
	parts := make([]string, len(s))
	for i, r := range s {
		parts[i] = r.String()
	}
	return strings.Join(parts, ",")
}

func (r requirement) String() string {
	switch {
	case r.how == isThere:
		return r.label
	case r.how == isMissing:
		return "!" + r.label
	case r.how == isIn && len(r.values) == 1:
		return r.label + "=" + r.values[0]
	case r.how == isNotIn && len(r.values) == 1:
		return r.label + "!=" + r.values[0]
	case r.how == isIn:
		return r.label + " in (" + strings.Join(r.values, ",") + ")"
	default:
		return r.label + " notin (" + strings.Join(r.values, ",") + ")"
	}
}

// ParseSelectors reads Kubernetes' selectors: requirements separated by commas, each one of
//
//	zone=eu   zone==eu   zone!=eu   zone in (eu, us)   zone notin (eu, us)   zone   !zone
//
// The error names the place of what is wrong and what would be right.
func ParseSelectors(texts ...string) (Selector, error) {
	var all Selector
	for _, text := range texts {
		s, err := parseSelector(text)
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}
	slices.SortFunc(all, func(a, b requirement) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(all, func(a, b requirement) bool { return a.String() == b.String() }), nil
}

func parseSelector(text string) (s Selector, err error) {
	p := &selectorText{text: text}
	if p.skip(); p.rest() == "" {
		return nil, nil
	}
	for {
		r, err := p.requirement()
		if err != nil {
			return nil, err
		}
		s = append(s, r)
		if p.rest() == "" {
			return s, nil
		}
		if !p.take(",") {
			return nil, p.wrong("a comma, or the end")
		}
	}
}

// selectorText is a selector that is being read.
type selectorText struct {
	text string
	at   int // what was read, in bytes
}

func (p *selectorText) rest() string { return p.text[p.at:] }

// skip passes by spaces.
func (p *selectorText) skip() {
	p.at = len(p.text) - len(strings.TrimLeft(p.rest(), " \t\n\r"))
}

// take reads a token if it comes next, and the spaces after it.
func (p *selectorText) take(token string) bool {
	if !strings.HasPrefix(p.rest(), token) {
		return false
	}
	p.at += len(token)
	p.skip()
	return true
}

// word reads what a label's name or value is made of, and the spaces after it; "" if there is none.
func (p *selectorText) word() string {
	n := strings.IndexFunc(p.rest(), func(c rune) bool {
		return c > 0x7f || !isAlphanumeric(byte(c)) && !strings.ContainsRune("-_./", c)
	})
	if n < 0 {
		n = len(p.rest())
	}
	word := p.rest()[:n]
	p.at += n
	p.skip()
	return word
}

func (p *selectorText) wrong(want string) error {
	return fmt.Errorf("labels %q: want %s at character %d; for example %q or %q", p.text, want, p.at+1, "zone=eu,gpu!=a100", "zone in (eu, us)")
}

func (p *selectorText) requirement() (r requirement, err error) {
	missing := p.take("!")
	if r.label, err = p.name(); err != nil {
		return r, err
	}
	switch begun := p.at; {
	case missing:
		r.how = isMissing
	case p.take("!="):
		r.how = isNotIn
		r.values, err = p.value()
	case p.take("==") || p.take("="):
		r.values, err = p.value()
	default:
		switch p.word() {
		case "in":
			r.values, err = p.list()
		case "notin":
			r.how = isNotIn
			r.values, err = p.list()
		case "":
			r.how = isThere
		default:
			p.at = begun
			err = p.wrong(`"=", "!=", "in (…)", "notin (…)" or a comma`)
		}
	}
	return r, err
}

// name reads a label's name.
func (p *selectorText) name() (string, error) {
	begun := p.at
	name := p.word()
	if err := checkLabelName(name); err != nil {
		p.at = begun
		if name == "" {
			return "", p.wrong("the name of a label")
		}
		return "", fmt.Errorf("%w: %w", p.wrong("the name of a label"), err)
	}
	return name, nil
}

// value reads the one value of "=" and "!=", which may be empty.
func (p *selectorText) value() ([]string, error) {
	begun := p.at
	value := p.word()
	if err := checkLabelValue(value); err != nil {
		p.at = begun
		return nil, fmt.Errorf("%w: %w", p.wrong("the value of a label"), err)
	}
	return []string{value}, nil
}

// list reads values in parentheses.
func (p *selectorText) list() (values []string, err error) {
	if !p.take("(") {
		return nil, p.wrong(`"("`)
	}
	for {
		begun := p.at
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		if value[0] == "" {
			p.at = begun
			return nil, p.wrong("the value of a label")
		}
		values = append(values, value[0])
		if p.take(")") {
			slices.Sort(values)
			return slices.Compact(values), nil
		}
		if !p.take(",") {
			return nil, p.wrong(`"," or ")"`)
		}
	}
}
