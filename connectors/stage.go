package connectors

// Stage is a transformation with its predicate: Kafka's TransformationStage.
type Stage struct {
	// Predicate decides where the transformation is applied; nil is everywhere.
	Predicate      Predicate
	Negate         bool
	Transformation Transformation
	// Name is the alias in the settings, Class that of the transformation, for error reports.
	Name, Class string
}

// Applies tells whether the transformation is to be applied to r.
func (s *Stage) Applies(r *Record) (bool, error) {
	if s.Predicate == nil {
		return true, nil
	}
	ok, err := s.Predicate.Test(r)
	return ok != s.Negate, err
}

// Apply applies the transformation where the predicate says so. False drops the record.
func (s *Stage) Apply(r *Record) (keep bool, err error) {
	if ok, err := s.Applies(r); err != nil || !ok {
		return true, err
	}
	return s.Transformation.Apply(r)
}

// Close closes both.
func (s *Stage) Close() error {
	err := s.Transformation.Close()
	if s.Predicate != nil {
		if perr := s.Predicate.Close(); err == nil {
			err = perr
		}
	}
	return err
}
