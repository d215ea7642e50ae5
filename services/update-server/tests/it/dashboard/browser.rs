//! Every page in Chromium: wide and narrow, light and dark, with the keyboard, and with numbers that change.

use std::path::{Path, PathBuf};

use slipway_update_server::store::Status;

use super::{
    pages,
    webdriver::{Browser, Screen},
    world::{APP, COLUMNS, World, at},
};

/// A world that a browser can reach.
struct Served {
    world: World,
    address: String,
}

async fn serve() -> Served {
    let world = World::fleet().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = world.router();
    let mut ending = world.app.ending.clone();
    tokio::spawn(async move {
        let end = async move { drop(ending.wait_for(|ending| *ending).await) };
        axum::serve(listener, router).with_graceful_shutdown(end).await.unwrap();
    });
    Served { world, address }
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
    fs_err::create_dir_all(&folder).unwrap();
    folder
}

/// What makes a page wider than the screen.
const TOO_WIDE: &str = "const wide = document.documentElement.scrollWidth - window.innerWidth;
if (wide <= 0) return [];
return [...document.querySelectorAll('body *')]
  .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1 && !one.closest('.hidden'))
  .slice(0, 5)
  .map((one) => `${one.tagName} ${one.className.baseVal ?? one.className} ${one.textContent.slice(0, 40)}`)
  .concat([`${wide} pixels too wide`]);";

/// Elements of forms without a name for those who do not see them.
const UNNAMED: &str = "return [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')]
  .filter((one) => !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim()))
  .map((one) => one.outerHTML);";

/// Text whose contrast with what is behind it is less than 4.5 to 1 (WCAG 2.2, level AA).
const FAINT: &str = "const parse = (color) => { const parts = color.match(/[\\d.]+/g).map(Number); return parts.length < 4 ? [...parts, 1] : parts; };
const light = ([r, g, b]) => { const part = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b); };
const behind = (one) => { for (; one; one = one.parentElement) { const color = getComputedStyle(one).backgroundColor; if (color.startsWith('rgb') && parse(color)[3] === 1) return parse(color); } return [255, 255, 255, 1]; };
const found = new Set();
for (const one of document.querySelectorAll('main *, header *')) {
  if (!one.matches(':not(svg *)') || one.closest('.hidden, .skip') || ![...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
  const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
  const contrast = (a + 0.05) / (b + 0.05);
  if (contrast < 4.5) found.add(`${contrast.toFixed(2)} ${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 30)}`);
}
return [...found];";

async fn inspect(
    browser: &Browser,
    address: &str,
    (name, path): (&str, &str),
    screen: Screen,
) -> Vec<String> {
    browser.open(&format!("{address}{path}")).await;
    let mut problems = Vec::new();
    for (what, script) in [("too wide", TOO_WIDE), ("unnamed", UNNAMED), ("faint", FAINT)] {
        let found = browser.script(script).await;
        if found.as_array().is_none_or(|found| !found.is_empty()) {
            problems.push(format!("{name} {} {}: {what}: {found}", screen.width, screen.scheme));
        }
    }
    problems
        .extend(browser.console().await.into_iter().map(|line| format!("{name}: console: {line}")));
    let file = folder().join(format!("{name}-{}-{}.png", screen.width, screen.scheme));
    fs_err::write(file, browser.picture().await).unwrap();
    problems
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_fits_and_reads_on_every_screen() {
    let Some(browser) = Browser::start().await else { return };
    let Served { world, address } = serve().await;
    let mut problems = Vec::new();
    for (width, height) in [(1280, 900), (390, 844)] {
        for scheme in ["light", "dark"] {
            let screen = Screen { width, height, scheme };
            browser.look_through(screen).await;
            for (name, path, _) in pages::all() {
                problems.extend(inspect(&browser, &address, (name, &path), screen).await);
            }
        }
    }
    browser.close().await;
    world.ending.send(true).unwrap();
    assert!(
        problems.is_empty(),
        "{}\n(pictures are in {})",
        problems.join("\n"),
        folder().display()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_paused_with_the_keyboard_and_numbers_stay_fresh() {
    let Some(browser) = Browser::start().await else { return };
    let Served { world, address } = serve().await;
    browser.look_through(Screen { width: 1280, height: 900, scheme: "light" }).await;
    browser.open(&format!("{address}/apps/{APP}/groups/stable")).await;

    // The first thing that the keyboard reaches is the way past the menu, and it can be seen.
    let skip = "document.querySelector('.skip').focus(); const box = document.activeElement.getBoundingClientRect();
        return [document.activeElement.textContent, box.top >= 0, document.activeElement.matches(':focus-visible')];";
    assert_eq!(browser.script(skip).await, serde_json::json!(["Skip to content", true, true]));

    // A machine that appears in the database appears on the page, without loading it again.
    let number = "return document.querySelector('[data-number=instances]').textContent";
    assert_eq!(browser.script(number).await, "120");
    world
        .sql(&format!(
            "INSERT INTO instances ({COLUMNS}) SELECT app_id, 'new', group_id, track, version, arch, oem, oem_version, aleph_version, alias, given_alias, \
             ip, boot_id, install_source, {}, status_since, update_version, granted_at, error_code, event_type, event_result, pin, first_seen, {} \
             FROM instances LIMIT 1",
            Status::Complete.number(),
            at(0).as_millisecond()
        ))
        .await;
    while browser.script(number).await != "121" {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }

    for click in ["a[href$='/pause']", "form button.danger"] {
        browser.script(&format!("document.querySelector(\"{click}\").click()")).await;
        while browser.script("return document.readyState").await != "complete" {}
    }
    let body = "return document.querySelector('main').textContent";
    while !browser.script(body).await.as_str().unwrap().contains("Resume updates") {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    browser.close().await;
    world.ending.send(true).unwrap();
    let stable = world
        .app
        .store
        .group(&APP.parse().unwrap(), &World::group_id("stable"))
        .await
        .unwrap()
        .unwrap();
    assert!(!stable.policy.updates_enabled);
}
