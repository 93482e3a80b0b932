package translate

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxSource = 64 << 10
	// CPython refuses 200 open brackets and 100 indents; stay far inside both.
	maxBrackets = 50
)

// number is every literal both grammars read alike; a letter or digit after it is refused.
var number = regexp.MustCompile(
	`^(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][+-]?[0-9]+)?)`)

// scanner looks at the source before gpython's parser does, which is lenient about
// numbers, escapes, tabs and characters that CPython refuses or reads differently.
type scanner struct {
	src      string
	at, line int
	open     []bracket
	last     string // the last token, "" for a literal
	report   func(line int, message, instead string)
}

// bracket is what stands between one pair of brackets so far. gpython's parser takes
// f(x for x in y, 1) and CPython does not, so a comprehension must stand alone in its own.
type bracket struct {
	comprehension, target, comma bool
	params                       bool // between "lambda" and its colon
}

// scan reports everything in src that the two lexers could read differently.
func scan(src string, report func(line int, message, instead string)) {
	s := &scanner{src: src, line: 1, report: report, open: make([]bracket, 1)}
	switch {
	case len(src) > maxSource:
		report(1, fmt.Sprintf("the policy has %d bytes; at most %d are read", len(src), maxSource), "a shorter policy")
		return
	case !utf8.ValidString(src):
		report(1, "the policy is not UTF-8", "save the file as UTF-8")
		return
	case strings.HasPrefix(src, "\ufeff"):
		report(1, "the policy starts with a byte order mark", "save the file as UTF-8 without it")
		return
	}
	for s.at < len(s.src) && s.step() {
	}
}

// step reads one token; false stops the scan, since what follows can't be trusted.
func (s *scanner) step() bool {
	rest := s.src[s.at:]
	c := rest[0]
	switch {
	case c == '\n':
		s.line++
		s.at++
	case c == ' ':
		s.at++
	case c == '#':
		return s.comment(rest)
	case c == '\'' || c == '"':
		return s.str(rest, false)
	case isWordStart(c):
		return s.word(rest)
	case isDigit(c), c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return s.number(rest)
	case strings.IndexByte("([{", c) >= 0:
		s.token(rest[:1])
		s.open = append(s.open, bracket{})
		if len(s.open) > maxBrackets {
			return s.stop(fmt.Sprintf("more than %d open brackets", maxBrackets), "name the inner parts first")
		}
	case strings.IndexByte(")]}", c) >= 0:
		if len(s.open) == 1 {
			return s.stop(fmt.Sprintf("%q without its opening bracket", c), "the opening bracket")
		}
		s.open = s.open[:len(s.open)-1]
		s.token(rest[:1])
	case strings.HasPrefix(rest, ":="):
		return s.stop("':=' is not in the policy subset", "an assignment on its own line")
	case c == ',':
		return s.comma()
	case c == ':':
		s.open[len(s.open)-1].params = false
		s.token(":")
	case c == '\\':
		return s.stop("a line continued with a backslash", "parentheses around the expression")
	case c == '\t':
		return s.stop("a tab", "spaces")
	case c == '@':
		return s.stop("'@' (decorator or matrix product) is not in the policy subset", "a plain function call")
	case c == '*' && strings.Contains("( , [ { lambda", s.last) && s.last != "":
		return s.stop("a starred value or parameter (*args, **options) is not in the policy subset",
			"the values or parameters themselves")
	case strings.IndexByte("+-*/%=<>!&|^~;.", c) >= 0:
		s.token(rest[:1])
	default:
		r, _ := utf8.DecodeRuneInString(rest)
		return s.stop(fmt.Sprintf("the character %q outside a string or comment", r), "ASCII letters, digits and operators")
	}
	return true
}

func (s *scanner) stop(message, insteadOf string) bool {
	s.report(s.line, message, insteadOf)
	return false
}

func (s *scanner) token(text string) {
	s.last = text
	s.at += len(text)
}

func (s *scanner) comma() bool {
	b := &s.open[len(s.open)-1]
	if !b.target && !b.params {
		b.comma = true
	}
	if b.comprehension && b.comma && len(s.open) > 1 {
		return s.stop("a comprehension beside other values", "parentheses around the comprehension")
	}
	s.token(",")
	return true
}

// clause follows "for" and "in", which say where a comprehension's targets stand.
func (s *scanner) clause(word string) bool {
	b := &s.open[len(s.open)-1]
	if word == "in" {
		if b.target && s.last == "," {
			return s.stop("a comma before 'in'", "(name,) in parentheses")
		}
		b.target = false
		return true
	}
	b.comprehension, b.target = true, true
	if len(s.open) == 1 {
		b.comprehension, b.comma = false, false
	}
	if b.comprehension && b.comma {
		return s.stop("a comprehension beside other values", "parentheses around the comprehension")
	}
	return true
}

func (s *scanner) comment(rest string) bool {
	end := strings.IndexByte(rest, '\n')
	if end < 0 {
		end = len(rest)
	}
	if strings.ContainsAny(rest[:end], "\x00\r\f") {
		return s.stop("a control character in a comment", "a plain comment")
	}
	s.at += end
	return true
}

// word reads a name, a keyword or the prefix of a string.
func (s *scanner) word(rest string) bool {
	end := 1
	for end < len(rest) && (isWordStart(rest[end]) || isDigit(rest[end])) {
		end++
	}
	word := rest[:end]
	if end < len(rest) && (rest[end] == '\'' || rest[end] == '"') {
		switch strings.ToLower(word) {
		case "r":
			s.at += end
			return s.str(s.src[s.at:], true)
		case "f", "fr", "rf":
			return s.stop("an f-string is not in the policy subset", "'%s scored %.3f' % (name, score)")
		case "b", "br", "rb":
			return s.stop("a bytes literal is not in the policy subset", "a str")
		case "u":
			return s.stop("the string prefix u", "the string without its prefix")
		}
	}
	switch word {
	case "async", "await":
		return s.stop(fmt.Sprintf("%q is not in the policy subset", word), "a plain function")
	case "lambda":
		s.open[len(s.open)-1].params = true
	case "for", "in":
		if !s.clause(word) {
			return false
		}
	}
	s.token(word)
	return true
}

func (s *scanner) number(rest string) bool {
	text := number.FindString(rest)
	after := byte(' ')
	if len(text) < len(rest) {
		after = rest[len(text)]
	}
	switch {
	case text == "", isWordStart(after), isDigit(after), after == '.':
		if after == '_' {
			return s.stop("a number with '_'", "the number without '_'")
		}
		if after == 'j' || after == 'J' {
			return s.stop("a complex number is not in the policy subset", "a float")
		}
		return s.stop(fmt.Sprintf("the number %q runs into what follows", text), "a space between them")
	case len(text) > 1 && text[0] == '0' && strings.Trim(text, "0123456789") == "" && strings.Trim(text, "0") != "":
		return s.stop(fmt.Sprintf("the number %s starts with 0", text), "the number without leading zeros")
	case len(text) > 400:
		return s.stop("a number with more than 400 digits", "a shorter number")
	}
	s.at += len(text)
	s.last = ""
	return true
}

// str reads one string literal whose quotes start rest.
func (s *scanner) str(rest string, raw bool) bool {
	quote := rest[:1]
	if strings.HasPrefix(rest, strings.Repeat(quote, 3)) {
		quote = rest[:3]
	}
	i := len(quote)
	for {
		switch {
		case i >= len(rest):
			return s.stop("a string without its closing quote", "the closing quote")
		case strings.HasPrefix(rest[i:], quote):
			s.at += i + len(quote)
			s.last = ""
			return true
		case rest[i] == '\n' && len(quote) == 1:
			return s.stop("a string without its closing quote", "the closing quote on the same line")
		case rest[i] == '\n':
			s.line++
			i++
		case rest[i] == '\\' && raw:
			return s.stop("a backslash in a raw string", `an ordinary string with \\`)
		case rest[i] == '\\':
			n := escape(rest[i:])
			if n == 0 {
				return s.stop("an escape other than \\n \\r \\t \\\\ \\' \\\" \\xHH \\uHHHH", "one of those")
			}
			i += n
		case rest[i] < ' ' && rest[i] != '\t':
			return s.stop("a control character in a string", `an escape such as \n`)
		default:
			i++
		}
	}
}

// escape is the length of the escape that starts text, 0 for one that is refused.
func escape(text string) int {
	if len(text) < 2 {
		return 0
	}
	digits := 0
	switch text[1] {
	case 'n', 'r', 't', '\\', '\'', '"':
		return 2
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	default:
		return 0
	}
	if len(text) < 2+digits || strings.Trim(text[2:2+digits], "0123456789abcdefABCDEF") != "" {
		return 0
	}
	// A lone half of a surrogate pair is a str in CPython and not a string in Go.
	if lower := strings.ToLower(text[2 : 2+digits]); digits == 4 && lower >= "d800" && lower <= "dfff" {
		return 0
	}
	return 2 + digits
}

func isWordStart(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
