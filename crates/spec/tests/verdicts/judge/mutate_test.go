package build

// Makes cases out of others: SEEDS (cases, one JSON object a line) → MUTANTS, COUNT of them.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var words = strings.Fields(`kernel init onboot onshutdown services files volumes trust outputs image cmdline
binary tar ucode name capabilities capabilities.add ambient mounts binds binds.add devices tmpfs command env cwd
net pid ipc uts userns readonly maskedPaths readonlyPaths uid gid additionalGids noNewPrivileges hostname
oomScoreAdj rootfsPropagation cgroupsPath resources sysctl rlimits uidMappings gidMappings annotations runtime
path directory symlink contents source metadata optional mode format platforms org destination type options
uidmappings gidmappings major minor hostID containerID size memory cpu pids blockio hugepageLimits network limit
shares cpus swap interfaces bindNS mkdir cgroups namespace add peer createInRoot foo`)

var scalars = []string{"~", "null", "true", "false", "yes", "on", `"true"`, "0", "1", "-1", "0644", `"0644"`, "0o17",
	"1.0", "1.5", "1e3", "1_000", "9223372036854775807", "18446744073709551615", "1e30", ".inf", ".nan", `""`, "''",
	"[]", "{}", "[a]", "[1]", "{a: b}", "{a: 1}", "[[]]", "[{}]", "[~]", "2017-04-18", "12:30", "@foo", `"@foo"`,
	`"@pkg:../x"`, "!!str 5", `!!int "5"`, "!!bool true", "!!null ~", "!!binary aGk=", "!x y", "root", "all", "none",
	"host", "a b", `"a\nb"`, `"a\0"`, "ä", "..", "a/../b", "/", "a/", "v:/x", "v:/x:ro", "/a:/b:rw:x", "CAP_SYS_ADMIN",
	"CAP_X", "nofile,1,2", "linux/arm64", "oci", "yaml", "json", "proc", "bind", "host.x/a/b:c", "a:b@c", "<<", "*x",
	"&x y", "|\n      x\n", ">-\n      x\n", `"\/"`, "-", "?", "x: y", "#x", "'it''s'", "a#b", "a: b"}

var bits = []string{"-", ":", "{", "}", "[", "]", ",", "&", "*", "!", "|", ">", "'", "\"", "%", "@", "`", "#", "?", "~",
	"\t", "\n", " ", "  ", "\r\n", "\r", "---\n", "...\n", "- ", ": ", "&a ", "*a", "<<: ", "!!str ", "!!int ", "\\", "0", "x", "ä",
	"\ufeff", "\"\"", "[]", "{}", "~", "true", "\u00a0", "\n\n", "#", " #", "? ", "<<: *a\n", "=", "."}

type mutator struct {
	*rand.Rand
	seeds []judged
}

func (r *mutator) pick(list []string) string { return list[r.Intn(len(list))] }

func nodes(n *yaml.Node, out *[]*yaml.Node) {
	*out = append(*out, n)
	for _, c := range n.Content {
		nodes(c, out)
	}
}

func (r *mutator) fresh() *yaml.Node {
	var n yaml.Node
	if yaml.Unmarshal([]byte(r.pick(scalars)), &n) != nil || len(n.Content) == 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Value: r.pick(words)}
	}
	return n.Content[0]
}

func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	for _, child := range n.Content {
		c.Content = append(c.Content, clone(child))
	}
	return &c
}

func (r *mutator) word(s string) string {
	runes := []rune(s)
	at := r.Intn(len(runes) + 1)
	switch r.Intn(7) {
	case 0:
		return s + r.pick(bits)
	case 1:
		return strings.ToUpper(s)
	case 2:
		if at < len(runes) {
			return string(runes[:at]) + string(runes[at+1:])
		}
		return ""
	case 3:
		return string(runes[:at]) + r.pick([]string{":", "/", ",", "..", "@", " ", ".", "A", "-", "_", "\x00", "\n", "\t", "~", "+", "ä"}) + string(runes[at:])
	case 4:
		return r.pick(words)
	case 5:
		return strconv.Itoa(r.Intn(2000) - 1000)
	}
	return strings.Title(s)
}

func (r *mutator) tree(text string) string {
	var doc yaml.Node
	if yaml.Unmarshal([]byte(text), &doc) != nil || doc.Kind == 0 {
		return r.text(text)
	}
	for i := 1 + r.Intn(3)/2; i > 0; i-- {
		var all []*yaml.Node
		nodes(&doc, &all)
		n := all[r.Intn(len(all))]
		switch op := r.Intn(12); {
		case n.Kind == yaml.MappingNode && len(n.Content) > 0 && op < 8:
			at := r.Intn(len(n.Content)/2) * 2
			pair := n.Content[at : at+2]
			switch op {
			case 0:
				n.Content = append(append([]*yaml.Node{}, n.Content[:at]...), n.Content[at+2:]...)
			case 1:
				n.Content = append(n.Content, clone(pair[0]), clone(pair[1]))
			case 2:
				n.Content[at] = &yaml.Node{Kind: yaml.ScalarNode, Value: r.pick(words)}
			case 3:
				c := clone(pair[0])
				c.Value = r.word(c.Value)
				n.Content[at] = c
			case 4, 5:
				n.Content[at+1] = r.fresh()
			case 6:
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: r.pick(words)}, r.fresh())
			case 7:
				other := all[r.Intn(len(all))]
				n.Content[at+1] = clone(other)
			}
		case n.Kind == yaml.SequenceNode && len(n.Content) > 0 && op < 6:
			at := r.Intn(len(n.Content))
			switch op {
			case 0:
				n.Content = append(append([]*yaml.Node{}, n.Content[:at]...), n.Content[at+1:]...)
			case 1:
				n.Content = append(n.Content, clone(n.Content[at]))
			case 2, 3:
				n.Content[at] = r.fresh()
			case 4:
				n.Content = append(n.Content, r.fresh())
			case 5:
				n.Content[at] = clone(all[r.Intn(len(all))])
			}
		case n.Kind == yaml.ScalarNode && op < 5:
			n.Value = r.word(n.Value)
		case n.Kind == yaml.ScalarNode && op < 8:
			n.Style = []yaml.Style{0, yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle, yaml.LiteralStyle, yaml.FoldedStyle}[r.Intn(5)]
			if r.Intn(2) == 0 {
				n.Tag = r.pick([]string{"", "!!str", "!!int", "!!bool", "!!null", "!!float", "!x"})
			}
		case n.Kind != yaml.DocumentNode && op < 10:
			*n = *r.fresh()
		case n.Kind != yaml.DocumentNode && n.Kind != yaml.AliasNode && op < 11:
			n.Anchor = "z"
			other := all[r.Intn(len(all))]
			if other != n && other.Kind != yaml.DocumentNode {
				*other = yaml.Node{Kind: yaml.AliasNode, Value: "z", Alias: &yaml.Node{Anchor: "z"}}
			}
		case n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode:
			n.Style ^= yaml.FlowStyle
		}
	}
	out := ""
	func() {
		defer func() { _ = recover() }()
		b, err := yaml.Marshal(&doc)
		if err == nil {
			out = string(b)
		}
	}()
	if out == "" {
		return r.text(text)
	}
	return out
}

func (r *mutator) text(text string) string {
	for i := 1 + r.Intn(3)/2; i > 0; i-- {
		lines := strings.SplitAfter(text, "\n")
		l := r.Intn(len(lines))
		runes := []rune(text)
		at := r.Intn(len(runes) + 1)
		switch r.Intn(12) {
		case 0:
			lines = append(append([]string{}, lines[:l]...), lines[l+1:]...)
			text = strings.Join(lines, "")
		case 1:
			lines[l] += lines[l]
			text = strings.Join(lines, "")
		case 2:
			o := r.Intn(len(lines))
			lines[l], lines[o] = lines[o], lines[l]
			text = strings.Join(lines, "")
		case 3:
			lines[l] = r.pick([]string{" ", "  ", "\t", "    ", "- ", "# "}) + lines[l]
			text = strings.Join(lines, "")
		case 4:
			lines[l] = strings.TrimPrefix(strings.TrimPrefix(lines[l], " "), " ")
			text = strings.Join(lines, "")
		case 5, 6, 7:
			text = string(runes[:at]) + r.pick(bits) + string(runes[at:])
		case 8:
			end := at + r.Intn(6)
			if end > len(runes) {
				end = len(runes)
			}
			text = string(runes[:at]) + string(runes[end:])
		case 9:
			if r.Intn(3) == 0 {
				text = strings.ReplaceAll(text, "\n", "\r\n")
			} else {
				lines[l] = strings.TrimSuffix(lines[l], "\n") + " # c\n"
				text = strings.Join(lines, "")
			}
		case 10:
			colon := strings.Index(lines[l], ": ")
			if colon > 0 {
				lines[l] = lines[l][:colon+2] + r.pick(scalars) + "\n"
			}
			text = strings.Join(lines, "")
		case 11:
			lines[l] = strings.Replace(lines[l], " ", r.pick([]string{"", "  ", "\t"}), 1)
			text = strings.Join(lines, "")
		}
	}
	return text
}

func TestMutate(t *testing.T) {
	count, _ := strconv.Atoi(os.Getenv("COUNT"))
	seed, _ := strconv.ParseInt(os.Getenv("SEED"), 10, 64)
	r := &mutator{Rand: rand.New(rand.NewSource(seed))}
	in, err := os.Open(os.Getenv("SEEDS"))
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(in)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var c judged
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, d := range c.Docs {
			size += len(d)
		}
		if !c.Base64 && size < 8000 {
			r.seeds = append(r.seeds, c)
		}
	}
	out, err := os.Create(os.Getenv("MUTANTS"))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := 0; i < count; i++ {
		c := r.seeds[r.Intn(len(r.seeds))]
		c.ID, c.Docs = fmt.Sprintf("mutant/%d-%d", seed, i), append([]string{}, c.Docs...)
		at := r.Intn(len(c.Docs))
		if r.Intn(10) < 6 {
			c.Docs[at] = r.tree(c.Docs[at])
		} else {
			c.Docs[at] = r.text(c.Docs[at])
		}
		if r.Intn(12) == 0 {
			c.Docs = append(c.Docs, r.seeds[r.Intn(len(r.seeds))].Docs...)
		}
		if err := enc.Encode(&c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}
