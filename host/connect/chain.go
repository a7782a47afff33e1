package connect

import (
	"context"
	"errors"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
)

// Chain applies the transformations of a connector: Kafka's TransformationChain. It is for one goroutine.
type Chain struct {
	stages []connectors.Stage
	// drafts are the stages, as many from each on, that are applied together to one record after the other: each may change
	// in place what the one before it has made.
	drafts    [][]connectors.DraftTransformation
	draft     connectors.Draft
	tolerance Tolerance
	clock     Clock
	rs        []*connectors.Record
	saved     []connectors.Record
	out       []connectors.Outcome
	at        []int
}

// NewChain makes the transformations and predicates that props name, configured.
func NewChain(plugins *connectors.Plugins, props config.Props, t Tolerance, clock Clock) (*Chain, error) {
	stages, err := connectorconfig.New(plugins).Stages(props)
	if err != nil {
		return nil, err
	}
	return &Chain{stages: stages, drafts: draftsOf(stages), tolerance: t, clock: clock}, nil
}

// draftsOf finds stages in a row that can be applied together. A predicate between them might keep what it sees.
func draftsOf(stages []connectors.Stage) [][]connectors.DraftTransformation {
	all := make([]connectors.DraftTransformation, len(stages))
	out := make([][]connectors.DraftTransformation, len(stages))
	end := len(stages)
	for i := len(stages) - 1; i >= 0; i-- {
		var ok bool
		if all[i], ok = stages[i].Transformation.(connectors.DraftTransformation); !ok || stages[i].Predicate != nil {
			end = i
			continue
		}
		out[i] = all[i:end]
	}
	return out
}

// Close closes all plugins.
func (c *Chain) Close() error {
	var faults []error
	for i := range c.stages {
		faults = append(faults, c.stages[i].Close())
	}
	c.stages, c.drafts = nil, nil
	return errors.Join(faults...)
}

// Len is the number of transformations.
func (c *Chain) Len() int { return len(c.stages) }

// Apply changes the records in place and says in out, which is as long, which of them are dropped and which have failed: Err is
// a *Failed then. The error fails the task.
func (c *Chain) Apply(ctx context.Context, rs []*connectors.Record, out []connectors.Outcome) error {
	for i := 0; i < len(c.stages); {
		n := max(1, len(c.drafts[i]))
		var err error
		if n > 1 {
			err = c.applyDrafts(ctx, i, rs, out)
		} else {
			err = c.applyStage(ctx, &c.stages[i], rs, out)
		}
		if err != nil {
			return err
		}
		i += n
	}
	return nil
}

func (c *Chain) applyStage(ctx context.Context, s *connectors.Stage, rs []*connectors.Record, out []connectors.Outcome) error {
	if batch, ok := s.Transformation.(connectors.BatchTransformation); ok {
		return c.applyBatch(ctx, s, batch, rs, out)
	}
	return c.applyEach(ctx, s, rs, out)
}

// applyDrafts applies the stages of drafts[first] to one record after the other. A record that fails is done again, stage by
// stage: what it was at first is unchanged, since the first stage makes a copy.
func (c *Chain) applyDrafts(ctx context.Context, first int, rs []*connectors.Record, out []connectors.Outcome) error {
	drafts := c.drafts[first]
	for i, r := range rs {
		if out[i].Drop || out[i].Err != nil {
			continue
		}
		saved := *r
		if keep, err := c.applyAll(drafts, r); err == nil {
			out[i].Drop = !keep
			continue
		}
		*r = saved
		for k := range drafts {
			if err := c.applyEach(ctx, &c.stages[first+k], rs[i:i+1], out[i:i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Chain) applyAll(drafts []connectors.DraftTransformation, r *connectors.Record) (keep bool, err error) {
	c.draft = connectors.Draft{}
	keep = true
	for _, d := range drafts {
		if keep, err = d.ApplyDraft(r, &c.draft); err != nil || !keep {
			break
		}
	}
	return keep, err
}

func (c *Chain) applyEach(ctx context.Context, s *connectors.Stage, rs []*connectors.Record, out []connectors.Outcome) error {
	for i, r := range rs {
		if out[i].Drop || out[i].Err != nil {
			continue
		}
		saved := *r
		keep, err := s.Apply(r)
		if err != nil {
			if err := c.settle(ctx, s, r, saved, err, &out[i]); err != nil {
				return err
			}
			continue
		}
		out[i].Drop = !keep
	}
	return nil
}

// again retries one record that failed in a stage.
func (c *Chain) again(ctx context.Context, s *connectors.Stage, r *connectors.Record, saved connectors.Record, cause error) (keep bool, err error) {
	err = c.tolerance.Again(ctx, c.clock, StageTransformation, s.Class, cause, func() error {
		*r = saved
		var err error
		keep, err = s.Apply(r)
		return err
	})
	return keep, err
}

func (c *Chain) applyBatch(ctx context.Context, s *connectors.Stage, batch connectors.BatchTransformation, rs []*connectors.Record, out []connectors.Outcome) error {
	c.rs, c.saved, c.out, c.at = c.rs[:0], c.saved[:0], c.out[:0], c.at[:0]
	for i, r := range rs {
		if out[i].Drop || out[i].Err != nil {
			continue
		}
		if ok, err := s.Applies(r); err != nil {
			if err := c.settle(ctx, s, r, *r, err, &out[i]); err != nil {
				return err
			}
		} else if ok {
			c.rs, c.saved, c.at = append(c.rs, r), append(c.saved, *r), append(c.at, i)
			c.out = append(c.out, connectors.Outcome{})
		}
	}
	if len(c.rs) == 0 {
		return nil
	}
	if err := batch.ApplyBatch(c.rs, c.out); err != nil {
		for k := range c.out { // the whole batch failed: each record is tried for itself
			c.out[k] = connectors.Outcome{Err: err}
		}
	}
	for k, i := range c.at {
		if c.out[k].Err != nil {
			if err := c.settle(ctx, s, c.rs[k], c.saved[k], c.out[k].Err, &out[i]); err != nil {
				return err
			}
			continue
		}
		out[i].Drop = c.out[k].Drop
	}
	return nil
}

// settle retries a record and notes in out what became of it.
func (c *Chain) settle(ctx context.Context, s *connectors.Stage, r *connectors.Record, saved connectors.Record, cause error, out *connectors.Outcome) error {
	keep, err := c.again(ctx, s, r, saved, cause)
	var failed *Failed
	if errors.As(err, &failed) && isTolerated(err) {
		*r = saved
		out.Err = failed
		return nil
	}
	if err == nil {
		out.Drop = !keep
	}
	return err
}

// isTolerated tells whether err is a *Failed itself, not an error that fails the task because of one.
func isTolerated(err error) bool {
	_, ok := err.(*Failed)
	return ok
}

// asFailed is the *Failed in err, which holds one.
func asFailed(err error) *Failed {
	var f *Failed
	errors.As(err, &f)
	return f
}
