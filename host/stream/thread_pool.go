package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
)

// threadPool are the threads of an App, which come and go while it runs (KIP-663). The zero value has none and takes none.
type threadPool struct {
	changing sync.Mutex // held while a thread is added or removed, so that one follows the other
	shared   *threadConfig
	db       *state.DB

	mu struct {
		sync.Mutex
		list     []*Thread // in the order of their numbers
		ctx      context.Context
		fail     func() // ends ctx
		closed   bool
		failures []error
		running  sync.WaitGroup
	}
}

// threadsNow is a copy of the list of threads, in the order of their numbers. It can be asked from any goroutine.
func (a *App) threadsNow() []*Thread {
	a.pool.mu.Lock()
	defer a.pool.mu.Unlock()
	return slices.Clone(a.pool.mu.list)
}

// newThread makes the thread with a number, 1 being the first.
func (a *App) newThread(index int) (*Thread, error) {
	c := *a.pool.shared
	if err := a.finishThreadConfig(&c, index); err != nil {
		return nil, err
	}
	return newThread(&c, a.pool.db), nil
}

// open lets threads run until ctx is done or one of them fails for good, which ends all of them.
func (p *threadPool) open(ctx context.Context, fail func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.ctx, p.mu.fail = ctx, fail
	p.mu.closed, p.mu.failures = false, nil
}

// start has run run in a goroutine of its own and reports its failure; false if the pool is closed. ended is called
// afterwards.
func (p *threadPool) start(run func(context.Context) error, ended func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.ctx == nil || p.mu.closed {
		return false
	}
	ctx := p.mu.ctx
	p.mu.running.Go(func() {
		defer ended()
		if err := run(ctx); err != nil {
			p.mu.Lock()
			p.mu.failures = append(p.mu.failures, err)
			p.mu.Unlock()
			p.mu.fail()
		}
	})
	return true
}

// wait returns the failures, the first one first, when the pool's context is done and everything has ended.
func (p *threadPool) wait() []error {
	<-p.mu.ctx.Done()
	p.mu.Lock()
	p.mu.closed = true
	p.mu.Unlock()
	p.mu.running.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.failures
}

// startThread runs a thread until it is removed or the application ends.
func (a *App) startThread(t *Thread) bool {
	started := a.pool.start(func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(t.life, cancel)()
		err := a.runThread(ctx, t)
		if err != nil && !a.isDamage(err) {
			a.failedThreads.Add(1)
			a.setState(PendingError)
		}
		return err
	}, func() { close(t.ended) })
	if !started {
		close(t.ended)
	}
	return started
}

// AddThread starts one more thread, which joins the group and takes tasks from the others, and returns its name
// (addStreamThread). Its number is the lowest that is free. The record cache is shared out anew.
func (a *App) AddThread() (string, error) {
	a.pool.changing.Lock()
	defer a.pool.changing.Unlock()
	if err := a.mayChangeThreads(); err != nil {
		return "", err
	}
	list, index := a.threadsNow(), 1
	for _, t := range list {
		if t.cfg.index == index {
			index++
		}
	}
	t, err := a.newThread(index)
	if err != nil {
		return "", err
	}
	a.setThreads(slices.Insert(list, index-1, t))
	if !a.startThread(t) {
		a.setThreads(list)
		return "", cmp.Or[error](a.mayChangeThreads(), errs.StreamThreads.New(a.cfg.Streams.ApplicationID, "threads cannot be added while the local state is built again", "try again"))
	}
	a.log.Info("thread added", "thread", t.Name())
	return t.Name(), nil
}

// RemoveThread stops the thread with the highest number, which commits, closes its tasks and leaves the group, and returns
// its name when it has (removeStreamThread). When ctx is done before, the thread ends all the same. An application
// without threads stays until it is closed and can be given new ones.
func (a *App) RemoveThread(ctx context.Context) (string, error) {
	a.pool.changing.Lock()
	defer a.pool.changing.Unlock()
	if err := a.mayChangeThreads(); err != nil {
		return "", err
	}
	list := a.threadsNow()
	if len(list) == 0 {
		return "", errs.StreamThreads.New(a.cfg.Streams.ApplicationID, "this process has no thread that could be removed", "")
	}
	t := list[len(list)-1]
	t.leaves.Store(true)
	t.stop()
	a.log.Info("thread removed", "thread", t.Name())
	select {
	case <-t.ended:
	case <-ctx.Done():
		go func() { // its number is taken until it has ended
			a.pool.changing.Lock()
			defer a.pool.changing.Unlock()
			<-t.ended
			a.dropThread(t)
		}()
		return t.Name(), errs.RuntimeTimeout.New(t.Name(), "the thread is still ending", "").WithCause(ctx.Err())
	}
	a.dropThread(t)
	return t.Name(), nil
}

func (a *App) dropThread(t *Thread) {
	a.setThreads(slices.DeleteFunc(a.threadsNow(), func(o *Thread) bool { return o == t }))
	a.threadChanged(nil, ThreadDead)
}

// mayChangeThreads tells why threads cannot be added or removed now.
func (a *App) mayChangeThreads() error {
	s := a.State()
	select {
	case <-a.ready:
		if s == Running || s == Rebalancing {
			return nil
		}
	default:
	}
	return errs.StreamThreads.New(a.cfg.Streams.ApplicationID, fmt.Sprintf("threads cannot be added or removed in the state %s", s), "do it while the application is RUNNING or REBALANCING")
}

// setThreads makes list the threads and gives each its share of the record cache.
func (a *App) setThreads(list []*Thread) {
	for _, t := range list {
		t.share.Store(a.cfg.Streams.CacheBytes / int64(len(list)))
	}
	a.pool.mu.Lock()
	a.pool.mu.list = list
	a.pool.mu.Unlock()
}

// ThreadMetadata describes a thread of this process (metadataForLocalThreads). Its names in JSON are a contract.
type ThreadMetadata struct {
	Name     string   `json:"name"`
	State    string   `json:"state"`
	Active   []string `json:"activeTasks"`
	Standbys []string `json:"standbyTasks"`
}

// LocalThreads describes the threads of this process. One that is about to begin or to end has no tasks.
func (a *App) LocalThreads(ctx context.Context) []ThreadMetadata {
	list := []ThreadMetadata{}
	for _, t := range a.threadsNow() {
		m := ThreadMetadata{Name: t.Name(), State: t.State().String(), Active: []string{}, Standbys: []string{}}
		t.call(ctx, func(s *session) {
			for _, task := range s.tasks.tasks {
				m.Active = append(m.Active, task.id.String())
			}
			for _, task := range s.tasks.standbys {
				m.Standbys = append(m.Standbys, task.id.String())
			}
		})
		list = append(list, m)
	}
	return list
}
