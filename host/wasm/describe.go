package wasm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// Describer tells what modules say of themselves, and keeps neither their bytes nor their code: most modules must be run
// to be asked, and what that takes is gone with the process that does it. What a module said is kept beside its code.
type Describer struct {
	config  Config
	command []string
}

// NewDescriber makes a describer of the modules that an engine of config would accept. command is a program with its
// arguments that calls DescribeChild; without one modules are asked in this process.
func NewDescriber(config Config, command []string) *Describer {
	return &Describer{config: config.withDefaults(), command: command}
}

// Description is what a module says of itself.
type Description struct {
	Digest   string
	Manifest abi.Manifest
}

const (
	// describeWall is for a process that neither answers nor ends; compilations and calls in it have bounds of their own.
	describeWall = 2*maxCompileWall + 30*time.Second
	// describeMemory is where the collector of that process begins to work hard.
	describeMemory = 160 << 20
	// maxDescription is more than any manifest takes in JSON.
	maxDescription = 8*abi.MaxManifestBytes + maxChildText
)

// DescribeFile judges the module in a file as Engine.Compile does, and returns what it says of itself; name is what it is
// called in messages.
func (d *Describer) DescribeFile(ctx context.Context, name, path string) (Description, error) {
	store, err := openStore(d.config)
	if err != nil {
		return Description{}, err
	}
	digest, err := digestFile(path)
	if err != nil {
		return Description{}, err
	}
	a, known := store.description(digest, d.config.Limits.MemoryBytes)
	if !known {
		if a, err = d.ask(ctx, name, path); err != nil {
			return Description{}, err
		}
		store.writeDescription(a)
	}
	manifest, err := abi.ParseManifest([]byte(a.Manifest))
	if err != nil {
		return Description{}, errs.ModuleManifest.New(name, "the manifest does not keep the rules", "").WithCause(err)
	}
	return Description{Digest: a.Digest, Manifest: manifest}, nil
}

// digestFile is the digest of a file, of which it holds no more than a part at a time.
func digestFile(path string) (string, error) {
	f, _, err := openModule(path, path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, MaxModuleBytes+1)); err != nil {
		return "", fileFault(path, err)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// description is what a module said, in whole so that it can be read and judged again.
type description struct {
	Digest   string `json:"digest"`
	Manifest string `json:"manifest"`
	// MemoryBytes is what an instance begins with: a limit below it refuses the module.
	MemoryBytes uint64         `json:"memoryBytes"`
	Fault       *describeFault `json:"fault,omitempty"`
}

// describeFault is an error on its way between processes. Code is "" for one that has none, whose text is What.
type describeFault struct {
	Code   string `json:"code,omitempty"`
	Where  string `json:"where,omitempty"`
	What   string `json:"what"`
	Fix    string `json:"fix,omitempty"`
	Detail string `json:"detail,omitempty"`
	Cause  string `json:"cause,omitempty"`
}

func faultOf(err error) *describeFault {
	coded, ok := errors.AsType[*errs.Error](err)
	if !ok {
		return &describeFault{What: err.Error()}
	}
	f := &describeFault{Code: coded.Code, Where: coded.Where, What: coded.What, Fix: coded.Fix, Detail: coded.Detail}
	if coded.Cause != nil {
		f.Cause = coded.Cause.Error()
	}
	return f
}

func (f *describeFault) error() error {
	if f.Code == "" {
		return errors.New(f.What)
	}
	err := errs.New(f.Code, f.Where, f.What, f.Fix).WithDetail(f.Detail)
	if f.Cause != "" {
		err.Cause = errors.New(f.Cause)
	}
	return err
}

// describeOrder is what the process that describes reads.
type describeOrder struct {
	Name, Path  string
	CacheDir    string
	Compiler    Compiler
	Limits      Limits
	Interpreter bool
	Workers     int
}

// ask has the module described in a process of its own if there is a command, else here.
func (d *Describer) ask(ctx context.Context, name, path string) (description, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return description{}, err
	}
	c := &d.config
	o := describeOrder{Name: name, Path: path, CacheDir: c.CacheDir, Compiler: c.Compiler, Limits: c.Limits, Interpreter: c.Interpreter, Workers: c.Workers}
	if len(d.command) == 0 {
		return o.describe(ctx)
	}
	order, err := json.Marshal(&o)
	if err != nil {
		return description{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, describeWall)
	defer cancel()
	out, said := boundedBuffer{limit: maxDescription, stop: cancel}, boundedBuffer{limit: maxChildText}
	cmd := exec.CommandContext(bounded, d.command[0], d.command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env, cmd.WaitDelay = bytes.NewReader(order), &out, &said, childEnv(), time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return description{}, ctx.Err()
		}
		return description{}, errs.ModuleManifest.New(name, "the process that asks the module for its manifest failed", "").WithCause(fmt.Errorf("%w %s", err, shown(said.b.String())))
	}
	var a description
	if err := json.Unmarshal(out.b.Bytes(), &a); err != nil {
		return description{}, errs.ModuleManifest.New(name, "the process that asks the module for its manifest gave no answer", "").WithCause(err)
	}
	if a.Fault != nil {
		return description{}, a.Fault.error()
	}
	return a, nil
}

// describe compiles the module with an engine of its own and asks it.
func (o *describeOrder) describe(ctx context.Context) (a description, err error) {
	code, err := ReadFile(o.Path)
	if err != nil {
		return a, err
	}
	engine, err := NewEngine(ctx, Config{CacheDir: o.CacheDir, Compiler: o.Compiler, Limits: o.Limits, Interpreter: o.Interpreter, Workers: o.Workers})
	if err != nil {
		return a, err
	}
	defer func() { err = errJoinClose(err, engine.Close(ctx)) }()
	m, err := engine.Compile(ctx, o.Name, code)
	if err != nil {
		return a, Coded(o.Name, err)
	}
	defer m.Close()
	return description{Digest: m.Digest(), Manifest: string(m.compiled.manifest), MemoryBytes: m.MemoryBytes()}, nil
}

// DescribeChild is what the program of a Describer does: it reads an order, describes one module and ends. It returns the
// exit status. What is wrong with the module is an answer.
func DescribeChild(in io.Reader, out io.Writer) int {
	debug.SetMemoryLimit(describeMemory)
	var o describeOrder
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return exitFailed
	}
	a, err := o.describe(context.Background())
	if err != nil {
		a = description{Fault: faultOf(err)}
	}
	if err := json.NewEncoder(out).Encode(&a); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return 0
}

func (s *codeStore) descriptionPath(digest string) string {
	return filepath.Join(s.dir, digest[len("sha256:"):]+".manifest")
}

// description is what a module of this digest said, if that is kept and its memory is within a limit. s may be nil.
func (s *codeStore) description(digest string, memoryBytes uint64) (a description, ok bool) {
	if s == nil || s.dir == "" {
		return a, false
	}
	text, err := os.ReadFile(s.descriptionPath(digest))
	if err != nil || json.Unmarshal(text, &a) != nil || a.Digest != digest || a.MemoryBytes > memoryBytes {
		return description{}, false
	}
	_, err = abi.ParseManifest([]byte(a.Manifest))
	return a, err == nil
}

// writeDescription keeps what a module said. That it cannot be written costs time at the next start and nothing else.
func (s *codeStore) writeDescription(a description) {
	if s == nil || s.dir == "" {
		return
	}
	text, err := json.Marshal(&a)
	if err == nil {
		err = writeFile(s.descriptionPath(a.Digest), append(text, '\n'))
	}
	if err != nil {
		s.log.Warn("keeping what a module says of itself", "digest", a.Digest, "error", err)
	}
}
