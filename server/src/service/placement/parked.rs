//! Tries again what could not be placed.

use std::sync::Arc;

use super::Mounted;
use super::place::to_place;
use crate::catalog::ops::OpRow;
use crate::catalog::{findings, nodes, ops, tree, versions};
use crate::error::{Error, Result};
use crate::store::{OpKind, Outcome, Phys};

impl Mounted {
    /// Tries what is parked again, in order.
    pub(super) async fn retry_parked(&self) {
        let Some(mut gate) = self.quiet().await else { return };
        // Out of their order, so nothing before them may be redone after them.
        let tried = match self.mark(&mut gate).await {
            Ok(()) => self.try_parked().await,
            Err(error) => Err(error),
        };
        if let Err(error) = tried {
            tracing::warn!(drive = %self.uuid, %error, "what is parked could not be tried again");
        }
        drop(gate);
    }

    pub(in crate::service) async fn try_parked(&self) -> Result<()> {
        let drive = self.id;
        let parked = self.db.read(move |tx| Box::pin(ops::in_state(tx, drive, "parked", 0, 1000))).await?;
        for row in parked {
            let node = row.node_id;
            let lineage = self.db.read(move |tx| Box::pin(nodes::lineage(tx, node))).await?;
            let path = Phys::from(tree::path_of(&lineage).0);
            let mut op = to_place(&row)?;
            match op.kind {
                OpKind::Put | OpKind::Mkdir => op.path = path,
                OpKind::Del => {}
                OpKind::Mv | OpKind::MvOver => op.dst = Some(path),
            }
            let live = tree::is_live(&lineage);
            let store = Arc::clone(&self.store);
            let settled = if live {
                let outcome =
                    tokio::task::spawn_blocking(move || store.place(&op)).await.map_err(Error::internal)?;
                !matches!(outcome, Outcome::Parked(_) | Outcome::Degraded(_))
            } else {
                true
            };
            if settled {
                self.unpark(row, live).await?;
            }
        }
        Ok(())
    }

    async fn unpark(&self, row: OpRow, live: bool) -> Result<()> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || store.flush())
            .await
            .map_err(Error::internal)?
            .map_err(|source| Error::unavailable("the drive cannot be written", 30).because(source))?;
        let now = self.clock.now();
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if live {
                        nodes::set_state(tx, row.node_id, "live", None).await?;
                        // Judged like any other: the name may have held something by now.
                        ops::set_state(tx, row.id, "placed", Some("was parked")).await?;
                    } else {
                        if let Some(version) = row.version_id {
                            versions::set_slot(tx, version, Some(row.uuid)).await?;
                        }
                        ops::delete(tx, row.id).await?;
                    }
                    findings::resolve_of_node(tx, row.node_id, "unplaced", "placed", now).await
                })
            })
            .await
    }
}
