//! `POST /api/volumes/{volume}/speed-test`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::api::jobs::{Accepted, Job, accepted};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::volumes::speed_test::{self, Wanted};

/// How a volume is to be measured.
#[derive(Deserialize, ToSchema)]
pub struct SpeedTest {
    /// Bytes to write at most, 8 MiB to 4 GiB; 256 MiB when absent.
    #[schema(minimum = 8_388_608, maximum = 4_294_967_296_u64)]
    bytes: Option<u64>,
    /// Seconds that writing, and then reading, may take, 1 to 120; 20 when absent. What was done by then counts.
    #[schema(minimum = 1, maximum = 120)]
    seconds: Option<u64>,
}

/// Measures how fast a volume is written and read (admins only): a job whose result has `read_mb_per_s` and
/// `write_mb_per_s` (10^6 bytes a second), and whether both went past the system's cache. The volume keeps what was found.
///
/// The file it writes has no name, and goes with the job or with the server's process. A gibibyte and a twentieth of the volume
/// stay free. 409 `volume-offline`, `volume-not-mounted`, `volume-read-only`, `volume-nearly-full`, `job-running` while it is
/// being measured, `no-volumes` where the server looks at no disks; 429 `too-many-jobs`.
#[utoipa::path(post, path = "/api/volumes/{volume}/speed-test", tag = "volumes",
    params(("volume" = String, Path, description = "Its UUID or its fingerprint")), request_body = SpeedTest,
    responses((status = 202, body = Job, headers(("Location" = String, description = "The job")))))]
pub async fn speed_test(
    State(app): State<App>,
    caller: Caller,
    Path(volume): Path<String>,
    Json(body): Json<SpeedTest>,
) -> Result<Accepted, Problem> {
    let wanted = Wanted { bytes: body.bytes, seconds: body.seconds };
    Ok(accepted(speed_test::begin(&app, &caller, volume, wanted).await?))
}
