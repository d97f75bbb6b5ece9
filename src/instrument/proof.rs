//! Proofs that the replies to a series of queries belong to these queries. What a run stores needs such a proof.

use super::{Ctp10, Error, Mark};

/// A series of queries that is repeated once if its replies cannot be proved.
#[derive(Debug)]
pub struct Proof {
    mark: Mark,
    repeated: bool,
}

impl Ctp10 {
    /// Marks the moment from which [`prove`](Self::prove) checks the replies.
    ///
    /// # Errors
    /// If there is no connection, and none can be made.
    pub async fn mark(&self) -> Result<Mark, Error> {
        self.asked_link().begin(self.options).await
    }

    /// Begins queries that are sent once more if it cannot be proved that each got its own reply.
    ///
    /// # Errors
    /// If there is no connection, and none can be made.
    pub async fn begin_proof(&self) -> Result<Proof, Error> {
        Ok(Proof { mark: self.mark().await?, repeated: false })
    }

    /// Whether each query since the proof began got its own reply. If not, the proof begins anew, and the queries must be
    /// sent once more.
    ///
    /// # Errors
    /// If this is the second time that the proof fails.
    pub async fn holds(&self, proof: &mut Proof) -> Result<bool, Error> {
        match self.prove(proof.mark).await {
            Ok(()) => Ok(true),
            Err(error) if proof.repeated => Err(error),
            Err(_) => {
                // An observer would not wait for the connection that the failed proof has closed.
                self.asked_link().connect(true).await?;
                *proof = Proof { mark: self.mark().await?, repeated: true };
                Ok(false)
            }
        }
    }

    /// Proves that all replies since `mark` belong to their queries.
    ///
    /// # Errors
    /// If the connection was reopened since then, or if queries and replies are out of step.
    pub async fn prove(&self, mark: Mark) -> Result<(), Error> {
        self.asked_link().prove(mark, self.options).await
    }
}
