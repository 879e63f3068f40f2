//! Vectors and slices as arrays of the database.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Value, literal};
use montrs_driver_abi::{Array, Dimension, ValueRef};

/// An array of one dimension; an empty one has none, as in databases.
pub(crate) fn encode<T: Encode>(values: &[T]) -> Result<Encoded<'_>, EncodeError> {
    let encoded = values.iter().map(T::encode).collect::<Result<Vec<_>, _>>()?;
    let elements = encoded.iter().map(Encoded::value).collect::<Result<Vec<_>, _>>()?;
    if elements.iter().any(|element| matches!(element, ValueRef::Array(_))) {
        return Err(EncodeError::new("arrays of arrays are sent as a Value::Array with several dimensions"));
    }
    of_elements(&elements).map(Encoded::Owned)
}

fn of_elements(elements: &[ValueRef<'_>]) -> Result<Value, EncodeError> {
    let len = u32::try_from(elements.len()).map_err(|_| EncodeError::new("an array of 4294967296 elements or more"))?;
    let dimension = [Dimension { len, lower_bound: 1 }];
    let dimensions = if elements.is_empty() { &[][..] } else { &dimension };
    let encoded = Array::encode(dimensions, elements.iter().copied());
    encoded.map(Value::Array).map_err(|error| EncodeError::new(error.to_string()))
}

/// The array that a text stands for, with elements that are made of their texts.
pub(crate) fn of_text(text: &str, element: impl Fn(&str) -> Result<Value, DecodeError>) -> Result<Value, DecodeError> {
    let elements = literal::array(text)?;
    let values = elements.iter().map(|text| text.as_deref().map_or(Ok(Value::Null), &element));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let elements = values.iter().map(Value::as_ref).collect::<Result<Vec<_>, _>>();
    elements.and_then(|elements| of_elements(&elements)).map_err(|error| DecodeError::new(error.to_string()))
}

/// Reads an array of one dimension, whatever index its elements begin with.
pub(crate) fn decode<'r, T: Decode<'r>>(value: ValueRef<'r>) -> Result<Vec<T>, DecodeError> {
    let array = match value {
        ValueRef::Array(array) => array,
        ValueRef::Text(_) | ValueRef::Json(_) => {
            return Err(DecodeError::of_kind("its value is text: read a JSON array into Json<Vec<T>>"));
        }
        other => return Err(DecodeError::unexpected(other)),
    };
    let dimensions = array.dimensions().len();
    if dimensions > 1 {
        return Err(DecodeError::new(format!("it is an array of {dimensions} dimensions: read it as Value")));
    }
    let element = |index: usize| {
        let value = array.get(index).map_err(|error| DecodeError::new(error.to_string()))?;
        T::decode(value).map_err(|error| DecodeError::new(format!("element {}: {error}", index + 1)))
    };
    (0..array.len()).map(element).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<'r, T: Encode + Decode<'r>>(values: &[T], encoded: &'r mut Option<Encoded<'static>>) -> Vec<T> {
        let Encoded::Owned(value) = encode(values).unwrap() else { panic!("made for the purpose") };
        decode(encoded.insert(Encoded::Owned(value)).value().unwrap()).unwrap()
    }

    #[test]
    fn vectors_read_back() {
        assert_eq!(there_and_back(&[Some(1), None, Some(-7)], &mut None), [Some(1), None, Some(-7)]);
        assert_eq!(there_and_back::<String>(&[], &mut None), [""; 0]);
        assert_eq!(there_and_back(&["a", ""], &mut None), ["a", ""]);
        assert_eq!(there_and_back(&[vec![0u8, 255], vec![]], &mut None), [vec![0, 255], vec![]]);
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let encoded = encode(&[Some(1i64), Some(300), None]).unwrap();
        let value = encoded.value().unwrap();
        assert_eq!(decode::<i8>(value).unwrap_err().to_string(), "element 2: 300 is outside -128 to 127");
        assert!(decode::<i64>(value).unwrap_err().to_string().starts_with("element 3: it is NULL"));
        assert_eq!(<[Option<i64>; 3]>::decode(value), Ok([Some(1), Some(300), None]));
        let error = <[Option<i64>; 2]>::decode(value).unwrap_err().to_string();
        assert_eq!(error, "it has 3 elements, and 2 are read");
        assert!(decode::<i64>(ValueRef::Text("[1]")).unwrap_err().to_string().contains("Json<Vec<T>>"));
    }

    #[test]
    fn arrays_of_several_dimensions_are_values() {
        assert!(encode(&[vec![1, 2], vec![3, 4]]).is_err());
        let dimensions = [Dimension { len: 1, lower_bound: 1 }; 2];
        let array = Array::encode(&dimensions, [ValueRef::I32(1)].into_iter()).unwrap();
        let value = ValueRef::Array(Array::parse(&array).unwrap());
        assert!(decode::<i32>(value).unwrap_err().to_string().contains("2 dimensions"));
    }

    #[test]
    fn a_vector_of_bytes_is_bytes() {
        assert!(matches!(vec![1u8, 2].encode(), Ok(Encoded::Borrowed(ValueRef::Bytes([1, 2])))));
        assert!(matches!([1u8; 2].encode(), Ok(Encoded::Borrowed(ValueRef::Bytes([1, 1])))));
        assert_eq!(<[u8; 2]>::decode(ValueRef::Bytes(&[1, 2])), Ok([1, 2]));
        assert_eq!(Vec::<u8>::decode(ValueRef::Uuid([7; 16])), Ok(vec![7; 16]));
    }
}
