//! The members of an object or array that diffs change: a list in which putting one in and taking one out costs about the
//! square root of its length, so that many changes of a long array take no quadratic time.

use std::cmp::Ordering;

/// Chunks are merged when there are more of them than members in one.
const FIRST_CHUNK: usize = 512;

/// The list. Its memory is used again once it was cleared.
#[derive(Debug, Clone)]
pub(super) struct Members<T> {
    /// Those behind `used` are empty.
    chunks: Vec<Vec<T>>,
    used: usize,
    len: usize,
    /// Twice as many members at most are in one.
    chunk: usize,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            used: 0,
            len: 0,
            chunk: FIRST_CHUNK,
        }
    }
}

impl<T> Members<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        for chunk in self.chunks.iter_mut().take(self.used) {
            chunk.clear();
        }
        (self.used, self.len, self.chunk) = (0, 0, FIRST_CHUNK);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().take(self.used).flatten()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let (chunk, place) = self.locate(index);
        self.chunks.get_mut(chunk)?.get_mut(place)
    }

    pub(super) fn push(&mut self, member: T) {
        let last = self.used.checked_sub(1);
        let last = last.and_then(|last| self.chunks.get_mut(last));
        match last.filter(|chunk| chunk.len() < self.chunk) {
            Some(chunk) => chunk.push(member),
            None => {
                if self.used > self.chunk {
                    self.merge();
                }
                match self.chunks.get_mut(self.used) {
                    Some(chunk) => chunk.push(member),
                    None => self.chunks.push(vec![member]),
                }
                self.used = self.used.saturating_add(1);
            }
        }
        self.len = self.len.saturating_add(1);
    }

    /// Puts it before the one at `index`; at the end when there is none.
    pub(super) fn insert(&mut self, index: usize, member: T) {
        if index >= self.len {
            return self.push(member);
        }
        let (number, place) = self.locate(index);
        let Some(chunk) = self.chunks.get_mut(number) else {
            return;
        };
        chunk.insert(place.min(chunk.len()), member);
        self.len = self.len.saturating_add(1);
        if chunk.len() >= self.chunk.saturating_mul(2) {
            let behind = chunk.split_off(chunk.len() / 2);
            self.chunks.insert(number.saturating_add(1), behind);
            self.used = self.used.saturating_add(1);
            if self.used > self.chunk {
                self.merge();
            }
        }
    }

    pub(super) fn remove(&mut self, index: usize) {
        let (number, place) = self.locate(index);
        if let Some(chunk) = self.chunks.get_mut(number)
            && place < chunk.len()
        {
            chunk.remove(place);
            self.len = self.len.saturating_sub(1);
        }
    }

    /// Where the one is that compares equal, or would have to stand, in a list in that order.
    pub(super) fn search(&self, compare: impl Fn(&T) -> Ordering) -> Result<usize, usize> {
        let mut before = 0_usize;
        for chunk in self.chunks.iter().take(self.used) {
            let is_behind = chunk
                .last()
                .is_none_or(|last| compare(last) == Ordering::Less);
            if !is_behind {
                return match chunk.binary_search_by(&compare) {
                    Ok(place) => Ok(before.saturating_add(place)),
                    Err(place) => Err(before.saturating_add(place)),
                };
            }
            before = before.saturating_add(chunk.len());
        }
        Err(before)
    }

    /// The number of its chunk, and its place in that.
    fn locate(&self, index: usize) -> (usize, usize) {
        let mut place = index;
        for (number, chunk) in self.chunks.iter().take(self.used).enumerate() {
            if place < chunk.len() {
                return (number, place);
            }
            place -= chunk.len();
        }
        (self.used, 0)
    }

    /// Half as many chunks, of twice as many members.
    fn merge(&mut self) {
        let mut merged: Vec<Vec<T>> = Vec::with_capacity(self.used.div_ceil(2));
        for (number, chunk) in self.chunks.drain(..self.used).enumerate() {
            match merged.last_mut() {
                Some(last) if number % 2 == 1 => last.extend(chunk),
                _ => merged.push(chunk),
            }
        }
        self.chunks = merged;
        self.used = self.chunks.len();
        self.chunk = self.chunk.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As a plain list does it, with chunks so small that they are cut and merged.
        #[test]
        fn a_list(changes in vec((any::<bool>(), 0_usize..300, any::<u16>()), 0..600)) {
            let mut members = Members { chunk: 1, ..Members::default() };
            let mut list = Vec::new();
            for (insert, index, value) in changes {
                if insert {
                    members.insert(index, value);
                    list.insert(index.min(list.len()), value);
                } else {
                    members.remove(index);
                    if index < list.len() {
                        list.remove(index);
                    }
                }
                prop_assert_eq!(members.len(), list.len());
                prop_assert_eq!(members.get_mut(index).copied(), list.get(index).copied());
            }
            prop_assert!(members.iter().eq(&list));
            members.clear();
            prop_assert_eq!((members.len(), members.iter().count()), (0, 0));
        }

        #[test]
        fn what_is_sorted_is_found(values in vec(any::<u16>(), 0..400), sought: u16) {
            let mut members = Members { chunk: 2, ..Members::default() };
            let mut list = Vec::new();
            for value in values {
                let found = list.binary_search(&value);
                prop_assert_eq!(members.search(|member: &u16| member.cmp(&value)), found);
                if let Err(place) = found {
                    members.insert(place, value);
                    list.insert(place, value);
                }
            }
            prop_assert_eq!(members.search(|member| member.cmp(&sought)), list.binary_search(&sought));
        }
    }
}
