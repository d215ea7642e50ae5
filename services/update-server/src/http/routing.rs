//! Routes as axum makes them, but each handler is boxed before axum sees it: around each type of handler axum builds dozens of functions,
//! which took the compiler a quarter of its time for this crate.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{
    extract::Request,
    handler::Handler,
    response::Response,
    routing::{self, MethodFilter, MethodRouter},
};

use crate::app::App;

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler of whatever type.
#[derive(Clone)]
struct Boxed(Arc<dyn Fn(Request, App) -> Answering + Send + Sync>);

impl Boxed {
    fn new<H: Handler<T, App>, T: 'static>(handler: H) -> Self {
        Self(Arc::new(move |request, app| Box::pin(handler.clone().call(request, app))))
    }
}

impl Handler<(), App> for Boxed {
    type Future = Answering;

    fn call(self, request: Request, app: App) -> Answering {
        (self.0)(request, app)
    }
}

/// Answers those methods.
pub(crate) fn on<H: Handler<T, App>, T: 'static>(
    methods: MethodFilter,
    handler: H,
) -> MethodRouter<App> {
    routing::on(methods, Boxed::new(handler))
}

/// Answers every method.
pub(crate) fn any<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    routing::any(Boxed::new(handler))
}

/// Answers GET and HEAD.
pub(crate) fn get<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    routing::get(Boxed::new(handler))
}

/// Answers POST.
pub(crate) fn post<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    routing::post(Boxed::new(handler))
}

/// Answers PUT.
pub(crate) fn put<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    routing::put(Boxed::new(handler))
}

/// Answers DELETE.
pub(crate) fn delete<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    routing::delete(Boxed::new(handler))
}
