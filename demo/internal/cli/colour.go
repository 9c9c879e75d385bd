package cli

import (
	"io"
	"os"
)

// colours reports whether out is a terminal that is to be coloured: not a file or a pipe, and NO_COLOR is not set
// (https://no-color.org).
func colours(out io.Writer, env func(string) string) bool {
	file, ok := out.(*os.File)
	if !ok || env("NO_COLOR") != "" || env("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (s *screen) colour(code, text string) string {
	if !s.paint {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *screen) bold(text string) string   { return s.colour("1", text) }
func (s *screen) red(text string) string    { return s.colour("31", text) }
func (s *screen) green(text string) string  { return s.colour("32", text) }
func (s *screen) yellow(text string) string { return s.colour("33", text) }
