//! The server as a device reaches it: over a network that fails, and with requests that arrive twice, late and in any order.

use holdfast_client::agent::trees::NodeId;
use holdfast_client::agent::{Act, Arriving, Done, Feed, Remote, Trouble, Wanted};
use holdfast_protocol::ContentHash;

use crate::server::{Became, Deed, Expect, hash_of};
use crate::world::Shared;

/// The server as a device reaches it.
pub struct SimRemote {
    pub world: Shared,
    pub device: usize,
}

fn deed_of(act: Act<Vec<u8>>) -> Result<Deed, Trouble> {
    Ok(match act {
        Act::Put(put, bytes) => {
            if hash_of(&bytes) != put.hash {
                return Err(Trouble::Changed("the content is not what was said".to_owned()));
            }
            let expect = put.expect.map_or(Expect::Nothing, Expect::Content);
            Deed::Put { path: put.path.to_string(), bytes: bytes.into(), mtime_ns: put.mtime_ns, expect }
        }
        Act::MakeFolder(path) => Deed::MakeFolder(path.as_str().to_owned()),
        Act::Rename { from, to, expect } => {
            Deed::Rename { from: from.as_str().to_owned(), to: to.as_str().to_owned(), expect }
        }
        Act::DeleteFile(path, expect) => {
            Deed::Delete { path: path.as_str().to_owned(), expect: Some(expect), only_empty: false }
        }
        Act::DeleteFolder(path) => {
            Deed::Delete { path: path.as_str().to_owned(), expect: None, only_empty: true }
        }
    })
}

impl SimRemote {
    /// Acts that travel in one request.
    fn request(&self, deeds: &[Deed]) -> Vec<Became> {
        let ends = |why: Trouble| deeds.iter().map(|_| Err(why.clone())).collect();
        let mut world = self.world.borrow_mut();
        for deed in deeds {
            if world.is_twice() {
                world.late.push(deed.clone());
            }
        }
        if let Err(why) = world.around(self.device, true) {
            return ends(why);
        }
        if let Some(deed) = world.before_request.take() {
            world.does(deed).unwrap();
        }
        // Requests take their time: what is written meanwhile looks fresh no more when the answer comes.
        world.disks[self.device].now += 2;
        let dies = world.faults.dies;
        if world.rng.once_in(dies) {
            world.say(|| format!("{}: the server dies over {deeds:?}", self.device));
            world.server.dies(deeds);
            return ends(Trouble::Side("no answer".to_owned()));
        }
        let became = world.do_all(deeds);
        for (deed, became) in deeds.iter().zip(&became) {
            if became.is_ok() {
                world.is_known(self.device, deed);
            }
            world.say(|| format!("{}: {deed:?} -> {became:?}", self.device));
        }
        if world.is_twice() {
            world.do_all(deeds);
        }
        if let Err(why) = world.around(self.device, true) {
            return ends(why);
        }
        became
    }

    fn content(&self, wanted: &Wanted) -> Result<Arriving, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, true)?;
        if let Some((path, bytes, mtime)) = world.while_it_comes.take() {
            world.disks[self.device].write(&path, bytes, mtime);
        }
        let there = world.server.look(wanted.path.as_str()).map(|(_, hash)| hash);
        let bytes = there.and_then(|there| world.server.memory().content(&there)).cloned();
        match bytes {
            // The answer has whatever is there; the device checks it.
            Some(bytes) if there == Some(wanted.hash) || world.rng.once_in(2) => {
                Ok(Arriving::Whole(Box::new(std::io::Cursor::new(bytes.to_vec()))))
            }
            _ => Err(Trouble::Changed("it is not there".to_owned())),
        }
    }
}

impl Remote for SimRemote {
    type Outgoing = Vec<u8>;

    fn feed(&self, since: Option<&str>) -> Result<Feed, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, true)?;
        let limit = 1 + world.rng.below(20);
        Ok(world.server.feed(since, limit))
    }

    fn act(&self, acts: Vec<Act<Vec<u8>>>) -> Vec<Result<Done, Trouble>> {
        // When a request breaks off, nobody hears of the others.
        let mut became: Vec<Result<Done, Trouble>> =
            acts.iter().map(|_| Err(Trouble::Side("no answer".to_owned()))).collect();
        let is_ordered = acts.iter().any(|act| !matches!(act, Act::Put(..)));
        let mut deeds = Vec::new();
        for (index, act) in acts.into_iter().enumerate() {
            match deed_of(act) {
                Ok(deed) => deeds.push((index, deed)),
                Err(why) => became[index] = Err(why),
            }
        }
        let together = {
            let mut world = self.world.borrow_mut();
            if !is_ordered {
                for end in (1..deeds.len()).rev() {
                    let other = world.rng.below(end + 1);
                    deeds.swap(end, other);
                }
            }
            // Many in a request, or each by itself.
            if world.rng.once_in(2) { 256 } else { 1 }
        };
        for request in deeds.chunks(together) {
            let (indices, deeds): (Vec<usize>, Vec<Deed>) = request.iter().cloned().unzip();
            let answers = self.request(&deeds);
            let is_over = answers.iter().any(|answer| matches!(answer, Err(Trouble::Side(_))));
            for (index, answer) in indices.into_iter().zip(answers) {
                became[index] = answer;
            }
            if is_over {
                if self.world.borrow_mut().rng.once_in(2) {
                    became.fill_with(|| Err(Trouble::Side("no answer".to_owned())));
                }
                break;
            }
        }
        became
    }

    fn fetch(
        &self,
        wanted: &[Wanted],
        take: &mut dyn FnMut(usize, Result<Arriving, Trouble>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        for (index, wanted) in wanted.iter().enumerate() {
            let arriving = self.content(wanted);
            if let Err(Trouble::Side(_)) = &arriving {
                return arriving.map(|_| ());
            }
            take(index, arriving)?;
        }
        Ok(())
    }

    fn history(&self, id: NodeId) -> Result<Vec<ContentHash>, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, true)?;
        Ok(world.server.history(id))
    }
}
