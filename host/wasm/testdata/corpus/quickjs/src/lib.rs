//! Nothing: the package only names whose source of QuickJS is fetched.
