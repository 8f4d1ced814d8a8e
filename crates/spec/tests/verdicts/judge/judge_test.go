package build

// Reads cases (one JSON object a line: id, docs) and writes what linuxkit says of each.
// See README.md beside it for how to run it.

import (
	"archive/tar"
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/linuxkit/linuxkit/src/cmd/linuxkit/moby"
	"github.com/linuxkit/linuxkit/src/cmd/linuxkit/spec"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
	log "github.com/sirupsen/logrus"
)

type judged struct {
	ID       string   `json:"id"`
	Docs     []string `json:"docs"`
	Base64   bool     `json:"base64,omitempty"`
	Label    string   `json:"label,omitempty"`
	Verdict  string   `json:"verdict"`
	Gist     []string `json:"gist,omitempty"`
	File     string   `json:"file,omitempty"`
	FileGist []string `json:"file_gist,omitempty"`
	YAML     *string  `json:"yaml,omitempty"`
	JSON     *string  `json:"json,omitempty"`
}

// As the command's own resolver does for local files, outside of a package tree.
func resolver(text string) (string, error) {
	switch {
	case text == "" || text[0] != '@':
		return text, nil
	case strings.HasPrefix(text, "@pkg:"):
		return "", fmt.Errorf("no package")
	}
	return "", nil
}

func (c *judged) configs(resolve spec.PackageResolver) (m moby.Moby, err error) {
	for _, doc := range c.Docs {
		text := []byte(doc)
		if c.Base64 {
			if text, err = base64.StdEncoding.DecodeString(doc); err != nil {
				return m, err
			}
		}
		next, err := moby.NewConfig(text, resolve)
		if err != nil {
			return m, err
		}
		if m, err = moby.AppendConfig(m, next); err != nil {
			return m, err
		}
	}
	return m, nil
}

// No image with such a name can be pulled; one that stands in the cache is used.
type unpullable struct{ error }

func pullable(what string, ref fmt.Stringer) error {
	text := ref.String()
	if _, err := name.ParseReference(text); err != nil {
		return unpullable{fmt.Errorf("could not pull image %s (%s): %v", text, what, err)}
	}
	return nil
}

// What a build does before, after and between downloads, without the images.
func (c *judged) build(m moby.Moby) error {
	ids := map[string]uint32{}
	id := uint32(100)
	sections := [][]*moby.Image{m.Onboot, m.Onshutdown, m.Services}
	names := []string{"onboot", "onshutdown", "services"}
	for _, section := range sections {
		for _, image := range section {
			ids[image.Name] = id
			id++
		}
	}
	if ref := m.Kernel.Ref(); ref != nil {
		if err := pullable("kernel", ref); err != nil {
			return err
		}
	}
	for _, ref := range m.InitRefs() {
		if err := pullable("init", ref); err != nil {
			return err
		}
	}
	tw := tar.NewWriter(io.Discard)
	for _, vol := range m.Volumes {
		if ref := vol.ImageRef(); ref != nil {
			if err := pullable("volume", ref); err != nil {
				return err
			}
			if vol.Format == "oci" {
				for _, p := range vol.Platforms {
					if _, err := v1.ParsePlatform(p); err != nil {
						return fmt.Errorf("failed to parse platform %s: %v", p, err)
					}
				}
			}
		}
	}
	for s, section := range sections {
		for i, image := range section {
			if err := pullable(names[s], image.Ref()); err != nil {
				return err
			}
			resolved, err := updateMountsAndBindsFromVolumes(image, m)
			if err != nil {
				return fmt.Errorf("failed update image %s from volumes: %w", image.Image, err)
			}
			config := imagespec.ImageConfig{}
			if c.Label != "" {
				config.Labels = map[string]string{"org.mobyproject.config": c.Label}
			}
			oci, _, err := moby.ConfigToOCI(resolved, config, ids)
			if err != nil {
				return fmt.Errorf("failed to create OCI spec for %s: %v", image.Image, err)
			}
			if _, err := json.Marshal(oci); err != nil {
				return fmt.Errorf("failed to create config for %s: %v", image.Image, err)
			}
			prefix := ""
			if s < 2 {
				prefix = fmt.Sprintf("%03d-", i)
			}
			if err := tarPrefix(path.Join("containers", names[s], prefix+image.Name)+"/", "x", "x", tw); err != nil {
				return err
			}
		}
	}
	// Every source is there and readable.
	files := append([]moby.File{}, m.Files...)
	for i := range files {
		if files[i].Source != "" {
			files[i].Source = "/dev/null"
		}
	}
	printed := m
	printed.Files = files
	if err := filesystem(printed, tw, ids); err != nil {
		return fmt.Errorf("failed to add filesystem parts: %v", err)
	}
	return tw.Close()
}

func (c *judged) verdict(m moby.Moby, err error) (string, []string) {
	if err != nil {
		return "config", []string{err.Error()}
	}
	if err = c.build(m); err != nil {
		var pull unpullable
		if errors.As(err, &pull) {
			return "pull", []string{err.Error()}
		}
		return "build", []string{err.Error()}
	}
	return "accept", nil
}

func (c *judged) judge(stdout *os.File) {
	defer func() {
		if r := recover(); r != nil {
			c.Verdict, c.Gist = "panic", []string{fmt.Sprint(r)}
		}
		if at, _ := stdout.Seek(0, io.SeekCurrent); at > 0 {
			_, _ = stdout.Seek(0, io.SeekStart)
			said, _ := io.ReadAll(stdout)
			for _, line := range strings.Split(string(said), "\n") {
				if strings.HasPrefix(line, "- ") {
					c.Gist = append(c.Gist, strings.TrimPrefix(line, "- "))
				}
			}
			_ = stdout.Truncate(0)
			_, _ = stdout.Seek(0, io.SeekStart)
		}
	}()
	// What stands in a file has its templates resolved and is written anew on the way; what
	// comes from standard input is not.
	m, err := c.configs(nil)
	c.Verdict, c.Gist = c.verdict(m, err)
	if file, gist := c.verdict(c.configs(resolver)); file != c.Verdict {
		c.File, c.FileGist = file, gist
	}
	if err != nil {
		return
	}
	if os.Getenv("METADATA") != "" {
		if text, err := metadata(m, "yaml"); err == nil {
			s := string(text)
			c.YAML = &s
		}
		if text, err := metadata(m, "json"); err == nil {
			s := string(text)
			c.JSON = &s
		}
	}
}

func TestJudge(t *testing.T) {
	log.SetOutput(io.Discard)
	in, err := os.Open(os.Getenv("CASES"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(os.Getenv("VERDICTS"))
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := os.CreateTemp("", "judge")
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(stdout.Name())
	os.Stdout = stdout
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	s := bufio.NewScanner(in)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var c judged
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		c.judge(stdout)
		if err := enc.Encode(&c); err != nil {
			t.Fatal(err)
		}
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}
