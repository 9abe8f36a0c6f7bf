package bus

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// hidden stands for what may be secret in a URL.
const hidden = "xxxxx"

// redacted returns URLs, comma-separated, without users, passwords and tokens.
func redacted(urls string) string {
	parts := strings.Split(urls, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	for i, part := range parts {
		scheme, rest := cutScheme(part)
		at := strings.LastIndexByte(rest, '@')
		if at < 0 {
			continue
		}
		parts[i] = scheme + hidden + rest[at:]
		if scheme != "" || i == 0 {
			continue
		}
		// What stands before the comma may be the first half of a password with a comma in it.
		if scheme, rest := cutScheme(parts[i-1]); scheme != "" && !strings.Contains(rest, "@") && !endsInPort(rest) {
			parts[i-1] = scheme + hidden
		}
	}
	return strings.Join(parts, ",")
}

func cutScheme(address string) (scheme, rest string) {
	if scheme, rest, ok := strings.Cut(address, "//"); ok {
		return scheme + "//", rest
	}
	return "", address
}

func endsInPort(host string) bool {
	_, err := strconv.ParseUint(host[strings.LastIndexByte(host, ':')+1:], 10, 16)
	return err == nil
}

var errMalformedURL = errors.New("the URL is malformed: special characters in a user, password or token have to be percent-encoded")

// withoutURL takes what a URL's own error is about out of an error, since it would repeat the URL, or the part of a password.
func withoutURL(err error, urls string) error {
	malformed, ok := errors.AsType[*url.Error](err)
	switch {
	case !ok:
		return err
	case strings.Contains(urls, "@"):
		return errMalformedURL
	}
	return malformed.Err
}
