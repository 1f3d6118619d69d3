package stack

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// FileVariable names the file of services where no flag does.
const FileVariable = "WINNOW_SERVICES"

// Outside is what a program was told of services that are not the embedded
// stack's: by flags, else by the environment, else by a file, value by value.
type Outside struct {
	file  string
	flags *pflag.FlagSet
}

// Bind gives set the flags: --services, and one for every setting that is no
// secret. The latter are hidden, for they are many; Help lists them.
func (o *Outside) Bind(set *pflag.FlagSet) {
	o.flags = set
	set.StringVar(&o.file, "services", "", "YAML `FILE` of Temporal, NATS and S3 servers of your own; \"winnow help services\" has its keys (default: $"+FileVariable+", else the embedded stack)")
	for _, s := range settings() {
		if s.secret {
			continue
		}
		set.String(s.flag(), "", s.help)
		set.Lookup(s.flag()).Hidden = true
	}
}

// Given says whether anything names services outside.
func (o *Outside) Given() bool {
	if o.path() != "" {
		return true
	}
	for _, s := range settings() {
		if _, given := o.spelled(s); given {
			return true
		}
	}
	return false
}

// Args are the flags that were given, for a child that shall use the same
// services. It inherits the environment, and with it every secret.
func (o *Outside) Args() []string {
	var args []string
	if o.file != "" {
		args = append(args, "--services="+o.file)
	}
	for _, s := range settings() {
		if f := o.flags.Lookup(s.flag()); f != nil && f.Changed {
			args = append(args, "--"+f.Name+"="+f.Value.String())
		}
	}
	return args
}

// Services puts together what was given. Errors name the file and line, the
// variable or the flag. What is missing is for Validate to say, of the services
// that a program needs.
func (o *Outside) Services() (Services, error) {
	services := Services{V: Version}
	if path := o.path(); path != "" {
		if err := readFile(path, &services); err != nil {
			return Services{}, err
		}
	}
	for _, s := range settings() {
		value, given := o.spelled(s)
		if !given {
			continue
		}
		if err := s.set(&services, value.text); err != nil {
			return Services{}, fmt.Errorf("%s: %w", value.from, err)
		}
	}
	services.Temporal.Namespace = cmp.Or(services.Temporal.Namespace, defaultNamespace)
	services.S3.Region = cmp.Or(services.S3.Region, defaultRegion)
	return services, nil
}

func (o *Outside) path() string { return cmp.Or(o.file, os.Getenv(FileVariable)) }

// spelling is a value, and where it was given.
type spelling struct{ text, from string }

// spelled is a setting's flag, else its variable. An empty variable counts as unset.
func (o *Outside) spelled(s setting) (spelling, bool) {
	if f := o.flags.Lookup(s.flag()); f != nil && f.Changed {
		return spelling{f.Value.String(), "--" + f.Name}, true
	}
	value := os.Getenv(s.variable())
	return spelling{value, "$" + s.variable()}, value != ""
}

// Help lists every setting in its spellings.
func Help() string {
	var b strings.Builder
	for _, s := range settings() {
		flag := "--" + s.flag()
		if s.secret {
			flag = "(no flag: it is a secret)"
		}
		fmt.Fprintf(&b, "  %s\n      %s\n      $%s  %s\n", s.key, s.help, s.variable(), flag)
	}
	return b.String()
}
