//! Upstreams: servers that published channels and packages are taken from.

use axum::{Json, Router};
use slipway_coreupdate::wire::{Upstream as Wire, UpstreamListResp, UpstreamSyncResp};

use super::{Answer, Call, Failure, NoBody, mount, sync};
use crate::{app::App, ids::UpstreamId, store::Upstream};

pub(super) fn routes(router: Router<App>) -> Router<App> {
    let router = mount(router, "update.upstream.list", list);
    let router = mount(router, "update.upstream.insert", insert);
    let router = mount(router, "update.upstream.sync", synchronize);
    let router = mount(router, "update.upstream.update", update);
    mount(router, "update.upstream.delete", delete)
}

fn wire(upstream: &Upstream) -> Wire {
    Wire { id: upstream.id.to_string(), label: upstream.label.clone(), url: upstream.url.clone() }
}

/// An address without a slash at its end.
fn address(url: &str) -> Result<String, Failure> {
    let bad = || {
        Failure::bad(format!(
            "`url` is `{url}`; an address such as `https://updates.example` is expected"
        ))
    };
    let parsed = url::Url::parse(url).map_err(|_| bad())?;
    let fine = ["http", "https"].contains(&parsed.scheme())
        && parsed.query().is_none()
        && parsed.fragment().is_none();
    if fine { Ok(url.trim_end_matches('/').to_owned()) } else { Err(bad()) }
}

async fn list(call: Call<NoBody>) -> Answer<UpstreamListResp> {
    let upstreams = call.app.store.upstreams().await?;
    Ok(Json(UpstreamListResp { items: upstreams.iter().map(wire).collect() }))
}

/// The stock client reads identifiers as whole numbers.
async fn insert(call: Call<Wire>) -> Answer<Wire> {
    let known = call.app.store.upstreams().await?;
    let highest =
        known.iter().filter_map(|upstream| upstream.id.as_str().parse::<u32>().ok()).max();
    let id: UpstreamId = (u64::from(highest.unwrap_or_default()) + 1).to_string().parse()?;
    let upstream = Upstream { id, url: address(&call.body.url)?, label: call.body.label.clone() };
    call.app.store.set_upstream(&call.by, &upstream).await?;
    Ok(Json(wire(&upstream)))
}

async fn named<B>(call: &Call<B>) -> Result<Upstream, Failure> {
    let id = call.value("id");
    let known = call.app.store.upstreams().await?;
    known
        .into_iter()
        .find(|upstream| upstream.id.as_str() == id)
        .ok_or_else(|| Failure::missing("upstream", id))
}

async fn update(call: Call<Wire>) -> Answer<Wire> {
    let mut upstream = named(&call).await?;
    upstream.url = address(&call.body.url)?;
    upstream.label.clone_from(&call.body.label);
    call.app.store.set_upstream(&call.by, &upstream).await?;
    Ok(Json(wire(&upstream)))
}

async fn delete(call: Call<NoBody>) -> Answer<Wire> {
    let upstream = named(&call).await?;
    call.app.store.delete_upstream(&call.by, &upstream.id).await?;
    Ok(Json(wire(&upstream)))
}

/// Takes over what all upstreams publish.
async fn synchronize(call: Call<NoBody>) -> Answer<UpstreamSyncResp> {
    let mut detail = Vec::new();
    let mut failed = false;
    for upstream in call.app.store.upstreams().await? {
        match sync::take(&call.app, &call.by, &upstream).await {
            Ok(report) => detail.push(format!("{}: {report}", upstream.url)),
            Err(failure) => {
                failed = true;
                detail.push(format!("{}: {}", upstream.url, failure.message));
            }
        }
    }
    let status = if failed { "error" } else { "ok" }.to_owned();
    Ok(Json(UpstreamSyncResp { detail: detail.join("; "), status }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_address() {
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(address(url).ok().as_deref(), expected, "{url}");
        };
        check("https://updates.example", Some("https://updates.example"));
        check("http://h:8000/base/", Some("http://h:8000/base"));
        for bad in ["", "updates.example", "ftp://h", "https://h/?a=b", "https://h/#x"] {
            check(bad, None);
        }
    }
}
