//! All routes, the layers around them, and the API document they give.

use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;
use utoipa::openapi::{Content, OpenApi, Ref, Response, ResponseBuilder};
use utoipa_swagger_ui::SwaggerUi;

use super::{api, fragment, linger, problem};
use crate::app::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Everything `holdfastd` serves.
pub fn router(app: App) -> Router {
    let (routes, document) = api::routes().split_for_parts();
    let json_body = usize::try_from(app.config.limits.json_body).unwrap_or(usize::MAX);
    let routes = routes
        .merge(crate::dav::routes())
        .merge(SwaggerUi::new("/docs").url("/openapi.json", finish(document)))
        .fallback(outside)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(json_body));
    dress(routes).with_state(app)
}

async fn outside(State(app): State<App>, request: Request) -> axum::response::Response {
    crate::dav::outside(app, request).await.into_response()
}

/// What is around every request, whatever it asks for.
fn dress<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(middleware::from_fn(linger::layer))
        .layer(middleware::from_fn(fragment::refuse))
        .layer(middleware::from_fn(around))
}

/// The API document, as committed at `openapi/openapi.json`.
pub fn document() -> OpenApi {
    let (_, document) = api::routes().split_for_parts();
    finish(document)
}

/// What is the same for every operation is said here once: a catch-all route is written `{*path}`, the document says
/// `{path}`; each operation has an id made of its method and path; and each may answer with a problem.
fn finish(mut document: OpenApi) -> OpenApi {
    let paths = std::mem::take(&mut document.paths.paths);
    for (path, mut item) in paths {
        let path = path.replace("{*", "{");
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
            ("head", &mut item.head),
            ("patch", &mut item.patch),
            ("options", &mut item.options),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(operation_id(method, &path));
                operation.responses.responses.insert("default".to_owned(), problem_response().into());
            }
        }
        document.paths.paths.insert(path, item);
    }
    document
}

/// `get`, `/api/users/{user}` becomes `get_users_by_user`.
fn operation_id(method: &str, path: &str) -> String {
    let mut id = method.to_owned();
    for part in path.strip_prefix("/api").unwrap_or(path).split('/').filter(|part| !part.is_empty()) {
        id.push_str(if part.starts_with('{') { "_by_" } else { "_" });
        id.extend(part.chars().filter(|c| !matches!(c, '{' | '}')).map(|c| if c == '-' { '_' } else { c }));
    }
    id
}

fn problem_response() -> Response {
    ResponseBuilder::new()
        .description("What went wrong")
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))))
        .build()
}

/// Around every request: an id, a log line without query, header or body (they may hold secrets), the problem's body,
/// and headers that keep browsers from guessing, framing or running what somebody uploaded.
async fn around(request: Request, next: Next) -> axum::response::Response {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let started = Instant::now();
    let span = tracing::info_span!("request", id, %method, path);
    let response = next.run(request).instrument(span.clone()).await;
    let _entered = span.enter();
    let mut response = problem::render(&method, &path, &id, response);
    secure(&path, response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let milliseconds = started.elapsed().as_millis();
    tracing::debug!(status = response.status().as_u16(), milliseconds, "answered");
    response
}

fn secure(path: &str, headers: &mut HeaderMap) {
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(REFERRER_POLICY, "no-referrer");
    default(X_FRAME_OPTIONS, "DENY");
    if path == "/docs" || path.starts_with("/docs/") {
        // The page sets style attributes and draws its pictures from data: URLs; nothing comes from elsewhere.
        default(
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
        );
    } else {
        default(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox");
    }
    if path.starts_with("/api/") {
        default(CACHE_CONTROL, "no-store");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;
    use crate::error::{Error, Kind};
    use crate::http::problem::Problem;

    async fn ask(routes: Router) -> (http::response::Parts, Value) {
        let request = Request::builder().uri("/thing?token=hidden").body(Body::empty()).unwrap();
        let (parts, body) = dress(routes).oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_that_tells_nothing() {
        async fn panics() -> Problem {
            panic!("the password is nowhere else")
        }
        let (parts, problem) = ask(Router::new().route("/thing", get(panics))).await;
        assert_eq!(parts.status, 500);
        assert_eq!(parts.headers["content-type"], "application/problem+json");
        assert!(!problem.to_string().contains("password"), "{problem}");
        assert_eq!(problem["request_id"], parts.headers[REQUEST_ID].to_str().unwrap());
    }

    #[tokio::test]
    async fn what_the_server_did_wrong_is_for_the_log_alone() {
        async fn fails() -> Problem {
            Error::internal("no such table: users").into()
        }
        let (parts, problem) = ask(Router::new().route("/thing", get(fails))).await;
        assert_eq!(parts.status, 500);
        assert!(!problem.to_string().contains("table"), "{problem}");
    }

    #[tokio::test]
    async fn a_problem_says_its_name_its_fields_and_when_to_come_back() {
        async fn refuses() -> Problem {
            let error = Error::unavailable("the drive is offline", 30).code("drive-offline");
            error.with("actual_hash", "abc").because("unplugged").into()
        }
        let (parts, problem) = ask(Router::new().route("/thing", get(refuses))).await;
        assert_eq!(parts.headers["retry-after"], "30");
        assert_eq!(problem["type"], "urn:holdfast:problem:drive-offline");
        assert_eq!(problem["title"], "Service Unavailable");
        assert_eq!(problem["status"], 503);
        assert_eq!(problem["detail"], "the drive is offline");
        assert_eq!(
            problem["instance"], "/thing",
            "without the query, which may hold what is not to be repeated"
        );
        assert_eq!(problem["actual_hash"], "abc");
        assert!(!problem.to_string().contains("unplugged"), "{problem}");
    }

    #[tokio::test]
    async fn a_missing_credential_says_how_to_bring_one() {
        async fn refuses() -> Problem {
            Error::new(Kind::Unauthenticated, "no").into()
        }
        let (parts, _) = ask(Router::new().route("/thing", get(refuses))).await;
        assert_eq!(parts.headers.get_all("www-authenticate").iter().count(), 2);
    }

    #[test]
    fn an_operation_is_named_after_its_method_and_path() {
        assert_eq!(operation_id("get", "/api/users/{user}"), "get_users_by_user");
        assert_eq!(operation_id("post", "/api/app-passwords"), "post_app_passwords");
        assert_eq!(operation_id("get", "/healthz"), "get_healthz");
    }
}
