//! The tree of symbols that a beam search has written.

/// Paths that share their beginnings. Each node knows its parent. Nodes that are on no live path are
/// dropped from time to time, so a search over hours of sound takes little more memory than its live
/// paths.
#[derive(Clone, Debug)]
pub(super) struct Tree<T> {
    nodes: Vec<(u32, T)>,
    limit: usize,
}

/// The node at which all paths begin.
pub(super) const ROOT: u32 = 0;

/// The size in nodes up to which a tree is never cleared up.
const SMALL: usize = 1 << 16;

impl<T> Tree<T> {
    pub(super) fn new(root: T) -> Self {
        Self {
            nodes: vec![(ROOT, root)],
            limit: SMALL,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a node after `parent`.
    pub(super) fn push(&mut self, parent: u32, value: T) -> u32 {
        let node = u32::try_from(self.nodes.len());
        let node = node.expect("a tree is cleared up long before it has four billion nodes");
        self.nodes.push((parent, value));
        node
    }

    pub(super) fn parent(&self, node: u32) -> u32 {
        self.nodes[node as usize].0
    }

    pub(super) fn get(&self, node: u32) -> &T {
        &self.nodes[node as usize].1
    }

    pub(super) fn get_mut(&mut self, node: u32) -> &mut T {
        &mut self.nodes[node as usize].1
    }

    /// The values from `node` to the root, without that of the root.
    pub(super) fn upwards(&self, node: u32) -> impl Iterator<Item = &T> {
        let mut at = node;
        std::iter::from_fn(move || {
            let (parent, value) = &self.nodes[at as usize];
            (at != ROOT).then(|| {
                at = *parent;
                value
            })
        })
    }

    /// Whether the tree has grown to twice its size after it was last cleared up.
    pub(super) fn is_large(&self) -> bool {
        self.nodes.len() > self.limit
    }

    /// Drops every node that is on no path to one of `live`. Returns the new index of each old node.
    pub(super) fn clear_up(&mut self, live: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut kept = vec![false; self.nodes.len()];
        kept[ROOT as usize] = true;
        for mut node in live {
            while !kept[node as usize] {
                kept[node as usize] = true;
                node = self.nodes[node as usize].0;
            }
        }
        // A parent comes before its children, so it has its new place before they need it.
        let mut places = vec![ROOT; self.nodes.len()];
        let old = std::mem::take(&mut self.nodes);
        for (index, (parent, value)) in old.into_iter().enumerate() {
            if kept[index] {
                places[index] = self.push(places[parent as usize], value);
            }
        }
        self.limit = SMALL.max(2 * self.nodes.len());
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_up_keeps_every_live_path_and_nothing_else() {
        let mut tree = Tree::new('.');
        let a = tree.push(ROOT, 'a');
        let b = tree.push(ROOT, 'b');
        let c = tree.push(a, 'c');
        let d = tree.push(b, 'd');
        let e = tree.push(a, 'e');
        let text = |tree: &Tree<char>, node| tree.upwards(node).collect::<String>();
        assert_eq!(text(&tree, e), "ea");
        let places = tree.clear_up([d, c].into_iter());
        assert_eq!(tree.len(), 5);
        assert_eq!(text(&tree, places[d as usize]), "db");
        assert_eq!(text(&tree, places[c as usize]), "ca");
        assert_eq!(tree.parent(places[c as usize]), places[a as usize]);
    }
}
