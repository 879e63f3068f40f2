//! The forms that the statements of a pipeline and their answers come in.

use super::{All, Answer, Expected, One, Optional, Pipelined, Place, Scalar, Step};
use crate::{Decode, Done, FromRow, Statement};

impl Pipelined for Statement {
    type Output = Done;
    type Place = Option<Done>;

    fn unpack(self, steps: &mut Vec<Step>) -> Option<Done> {
        steps.push(Step { statement: self, max_rows: 0 });
        None
    }
}

impl<A: Place> Pipelined for Expected<A> {
    type Output = A::Output;
    type Place = A;

    fn unpack(self, steps: &mut Vec<Step>) -> A {
        steps.push(Step { statement: self.statement, max_rows: self.max_rows });
        self.answer
    }
}

/// The places for one answer.
macro_rules! one_answer {
    ($([$($bound:tt)*] $place:ty => $output:ty, |$self:ident| $get:expr;)*) => {
        $(impl<$($bound)*> Place for $place {
            type Output = $output;

            fn each<'a>(&'a mut self, places: &mut Vec<&'a mut dyn Answer>) {
                places.push(self);
            }

            fn output($self) -> Option<$output> {
                $get
            }
        })*
    };
}

one_answer! {
    [] Option<Done> => Done, |self| self;
    [T: for<'r> FromRow<'r> + Send] One<T> => T, |self| self.0;
    [T: for<'r> FromRow<'r> + Send] Optional<T> => Option<T>, |self| Some(self.0);
    [T: for<'r> Decode<'r> + Send] Scalar<T> => T, |self| self.0;
    [T: for<'r> FromRow<'r> + Send] All<T> => Vec<T>, |self| Some(self.0);
}

impl<P: Pipelined> Pipelined for Vec<P> {
    type Output = Vec<P::Output>;
    type Place = Vec<P::Place>;

    fn unpack(self, steps: &mut Vec<Step>) -> Self::Place {
        self.into_iter().map(|part| part.unpack(steps)).collect()
    }
}

impl<P: Place> Place for Vec<P> {
    type Output = Vec<P::Output>;

    fn each<'a>(&'a mut self, places: &mut Vec<&'a mut dyn Answer>) {
        self.iter_mut().for_each(|place| place.each(places));
    }

    fn output(self) -> Option<Self::Output> {
        self.into_iter().map(P::output).collect()
    }
}

impl<P: Pipelined, const N: usize> Pipelined for [P; N] {
    type Output = [P::Output; N];
    type Place = [P::Place; N];

    fn unpack(self, steps: &mut Vec<Step>) -> Self::Place {
        self.map(|part| part.unpack(steps))
    }
}

impl<P: Place, const N: usize> Place for [P; N] {
    type Output = [P::Output; N];

    fn each<'a>(&'a mut self, places: &mut Vec<&'a mut dyn Answer>) {
        self.iter_mut().for_each(|place| place.each(places));
    }

    fn output(self) -> Option<Self::Output> {
        let outputs: Option<Vec<_>> = self.into_iter().map(P::output).collect();
        outputs?.try_into().ok()
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {
        $(
            #[allow(non_snake_case, reason = "the names are those of the types")]
            impl<$($name: Pipelined),+> Pipelined for ($($name,)+) {
                type Output = ($($name::Output,)+);
                type Place = ($($name::Place,)+);

                fn unpack(self, steps: &mut Vec<Step>) -> Self::Place {
                    let ($($name,)+) = self;
                    ($($name.unpack(steps),)+)
                }
            }

            #[allow(non_snake_case, reason = "the names are those of the types")]
            impl<$($name: Place),+> Place for ($($name,)+) {
                type Output = ($($name::Output,)+);

                fn each<'a>(&'a mut self, places: &mut Vec<&'a mut dyn Answer>) {
                    let ($($name,)+) = self;
                    $($name.each(places);)+
                }

                fn output(self) -> Option<Self::Output> {
                    let ($($name,)+) = self;
                    Some(($($name.output()?,)+))
                }
            }
        )*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}
