//! Page views by region: the joiner that puts the region of the user into a page view. Users whose profile is not known,
//! or has no region, are in the region UNKNOWN.

use wasmstream::json::{Field, Kind, Query};
use wasmstream::{Error, Module, OutPart, joiner};

fn module() -> Module {
    let mut join = WithRegion::new();
    Module::new("pageviews", "1.0.0").with(
        joiner("with-region", move |view, user, out| join.apply(view, user, out))
            .describe("a page view with the region of its user"),
    )
}

wasmstream::export!(module);

struct WithRegion {
    view: Query,
    view_region: Field,
    user: Query,
    user_region: Field,
}

impl WithRegion {
    fn new() -> Self {
        let (mut view, mut user) = (Query::new(), Query::new());
        let (view_region, user_region) = (view.field("region"), user.field("region"));
        Self { view, view_region, user, user_region }
    }

    fn apply(&mut self, view: Option<&[u8]>, user: Option<&[u8]>, out: &mut OutPart) -> Result<(), Error> {
        let user = self.user.parse(user.unwrap_or(b"{}")).ok();
        let region = user.filter(|u| u.kind(self.user_region) == Kind::String).and_then(|u| u.raw(self.user_region));
        let mut view = self
            .view
            .parse(view.unwrap_or_default())
            .map_err(|_| Error::dead_letter("the page view is not JSON"))?;
        view.set_raw(self.view_region, region.unwrap_or(br#""UNKNOWN""#));
        Ok(view.write(out.bytes())?)
    }
}
