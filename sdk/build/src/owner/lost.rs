//! Bytes that turn out to be lost while a run goes on: what makes them runs again, what needs them waits.

use crate::action::Input;
use crate::event::{Event, How};
use crate::reason::Reason;
use crate::work::{ActionError, RunFailure};

use super::Owner;
use super::node::Progress;

impl Owner {
    /// The bytes of inputs are lost: what makes them has to run again, and this action waits for it.
    pub(super) fn postpone(&mut self, index: usize, inputs: &[String]) {
        self.nodes[index].progress = Progress::Waiting;
        for input in inputs {
            let Some(Input::Output { node, output }) =
                self.nodes[index].action.inputs.get(input).cloned()
            else {
                let error = ActionError::SourceLost { input: input.clone() };
                return self.fail(index, RunFailure { error, last_lines: Vec::new() }, None);
            };
            let producer = self.index[&node];
            match &self.nodes[producer].progress {
                Progress::Settled { how: How::Built, .. } if self.nodes[index].postponed => {
                    let error = ActionError::LostAgain { input: input.clone() };
                    return self.fail(index, RunFailure { error, last_lines: Vec::new() }, None);
                }
                Progress::Settled { how: How::Cached | How::CutOff, .. } => {
                    self.unsettle(producer, output);
                }
                _ => {}
            }
            self.emit(Event::Postponed {
                id: self.nodes[index].action.id.clone(),
                waits_for: node,
            });
        }
        self.nodes[index].postponed = true;
        self.probe_if_due(index);
    }

    fn unsettle(&mut self, index: usize, output: String) {
        let node = &mut self.nodes[index];
        if let Progress::Settled { outputs, how } =
            std::mem::replace(&mut node.progress, Progress::Waiting)
        {
            node.previous = Some(outputs);
            node.must_run = Some(Reason::OutputLost { output });
            let id = &node.action.id;
            match how {
                How::Cached => {
                    self.report.cached.retain(|other| other != id);
                    self.total += 1;
                }
                How::CutOff => self.report.cut_off.retain(|other| other != id),
                How::Built => {}
            }
        }
        self.probe_if_due(index);
    }
}
