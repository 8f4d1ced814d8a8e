//! Provider functions: pure, offline, called without a configured provider.
//!
//! Terraform records results in the plan and refuses a function that answers
//! differently when it is asked again.

use crate::diag::Path;
use crate::protocol::message::{self, StringKind};
use crate::schema::{Misfit, Typed};
use crate::value::{Type, Value};

/// What is wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The whole story: Terraform shows the call's line, but not which of
    /// several variadic arguments is meant.
    pub text: String,
    /// The argument that is wrong, from 0.
    pub argument: Option<usize>,
}

impl FunctionError {
    /// The call as a whole fails.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: None,
        }
    }

    /// An argument is wrong, the first being 0.
    pub fn argument(index: usize, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: Some(index),
        }
    }
}

/// A parameter's name and its description in Markdown.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// As it is shown to users.
    pub name: &'static str,
    /// In Markdown.
    pub description: &'static str,
}

/// A provider function.
pub trait Function: Send + Sync + 'static {
    /// Its parameters' types: a tuple, the last of which may be [`Rest`]. A
    /// parameter of type [`Val`](crate::Val) takes null and unknown values, the
    /// call is skipped or refused for others.
    type Arguments: Arguments;

    /// The type of its result.
    type Output: Typed;

    /// Its name: `provider::nodeimage::NAME`.
    const NAME: &'static str;

    /// One line of plain text.
    const SUMMARY: &'static str;

    /// In Markdown.
    const DESCRIPTION: &'static str;

    /// One for each of [`Function::Arguments`].
    const PARAMETERS: &'static [Parameter];

    /// Computes the result; asks neither network nor clock nor disk.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    fn call(&self, arguments: Self::Arguments) -> Result<Self::Output, FunctionError>;
}

/// All arguments that follow the others.
#[derive(Clone, Debug)]
pub struct Rest<T>(pub Vec<T>);

/// How a parameter is declared.
#[derive(Clone, Debug)]
pub struct Declared {
    ty: Type,
    nullable: bool,
}

impl Declared {
    fn of<T: Typed>() -> Self {
        Self {
            ty: T::shape().ty(),
            nullable: T::NULLABLE,
        }
    }
}

/// A tuple of parameter types.
pub trait Arguments: Sized {
    /// The fixed parameters and the variadic one.
    #[doc(hidden)]
    fn declared() -> (Vec<Declared>, Option<Declared>);

    /// From the call's values.
    #[doc(hidden)]
    fn from_values(values: Vec<Value>) -> Result<Self, FunctionError>;
}

fn convert<T: Typed>(i: usize, value: &Value) -> Result<T, FunctionError> {
    T::from_value(value).map_err(|misfit| {
        let text = match misfit {
            Misfit::Unknown => "the argument is not known yet".to_owned(),
            Misfit::Wrong(all) => {
                let told = all
                    .into_iter()
                    .map(|(path, message)| place(&path) + &message);
                told.collect::<Vec<_>>().join("; ")
            }
        };
        FunctionError::argument(i, text)
    })
}

fn place(path: &Path) -> String {
    if path.is_root() {
        String::new()
    } else {
        format!("{path} ")
    }
}

macro_rules! arguments {
    ($($name:ident)*) => {
        impl<$($name: Typed),*> Arguments for ($($name,)*) {
            fn declared() -> (Vec<Declared>, Option<Declared>) {
                (vec![$(Declared::of::<$name>()),*], None)
            }

            #[allow(unused_mut, unused_variables, clippy::allow_attributes)]
            fn from_values(values: Vec<Value>) -> Result<Self, FunctionError> {
                let mut values = values.into_iter().enumerate();
                let mut next = || values.next().unwrap_or((0, Value::Null));
                let out = ($({
                    let (i, value) = next();
                    convert::<$name>(i, &value)?
                },)*);
                Ok(out)
            }
        }

        impl<$($name: Typed,)* R: Typed> Arguments for ($($name,)* Rest<R>,) {
            fn declared() -> (Vec<Declared>, Option<Declared>) {
                (vec![$(Declared::of::<$name>()),*], Some(Declared::of::<R>()))
            }

            #[allow(unused_mut, unused_variables, clippy::allow_attributes)]
            fn from_values(values: Vec<Value>) -> Result<Self, FunctionError> {
                let mut values = values.into_iter().enumerate();
                let out = ($({
                    let (i, value) = values.next().unwrap_or((0, Value::Null));
                    convert::<$name>(i, &value)?
                },)*
                Rest(values
                    .map(|(i, value)| convert::<R>(i, &value))
                    .collect::<Result<_, _>>()?),);
                Ok(out)
            }
        }
    };
}

arguments!();
arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);

pub(crate) trait AnyFunction: Send + Sync {
    fn definition(&self) -> &message::Function;
    fn docs(&self) -> FunctionDocs;
    /// The type of the i-th argument.
    fn argument_type(&self, i: usize) -> Option<Type>;
    fn output_type(&self) -> Type;
    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

/// What the documentation says of a function.
#[derive(Debug)]
pub(crate) struct FunctionDocs {
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    /// Name, description, type.
    pub(crate) parameters: Vec<(&'static str, &'static str, Type)>,
    pub(crate) variadic: bool,
    pub(crate) output: Type,
}

pub(crate) struct Erased<F> {
    function: F,
    definition: message::Function,
    fixed: Vec<Declared>,
    rest: Option<Declared>,
}

impl<F: Function> Erased<F> {
    /// `Err` says what is wrong with the declaration.
    pub(crate) fn new(function: F) -> Result<Self, String> {
        let (fixed, rest) = F::Arguments::declared();
        let count = fixed.len() + usize::from(rest.is_some());
        if F::PARAMETERS.len() != count {
            let described = F::PARAMETERS.len();
            return Err(format!(
                "it takes {count} parameters, {described} are described"
            ));
        }
        let mut parameters: Vec<message::Parameter> = F::PARAMETERS
            .iter()
            .zip(fixed.iter().chain(&rest))
            .map(|(text, declared)| message::Parameter {
                name: text.name.to_owned(),
                r#type: declared.ty.to_json().into_bytes(),
                allow_null_value: declared.nullable,
                allow_unknown_values: declared.nullable,
                description: text.description.to_owned(),
                description_kind: StringKind::Markdown.into(),
            })
            .collect();
        let variadic_parameter = rest.as_ref().and_then(|_| parameters.pop());
        let definition = message::Function {
            parameters,
            variadic_parameter,
            r#return: Some(message::Return {
                r#type: F::Output::shape().ty().to_json().into_bytes(),
            }),
            summary: F::SUMMARY.to_owned(),
            description: F::DESCRIPTION.to_owned(),
            description_kind: StringKind::Markdown.into(),
        };
        Ok(Self {
            function,
            definition,
            fixed,
            rest,
        })
    }
}

impl<F: Function> AnyFunction for Erased<F> {
    fn definition(&self) -> &message::Function {
        &self.definition
    }

    fn docs(&self) -> FunctionDocs {
        let declared = self.fixed.iter().chain(&self.rest);
        FunctionDocs {
            summary: F::SUMMARY,
            description: F::DESCRIPTION,
            parameters: F::PARAMETERS
                .iter()
                .zip(declared)
                .map(|(text, declared)| (text.name, text.description, declared.ty.clone()))
                .collect(),
            variadic: self.rest.is_some(),
            output: self.output_type(),
        }
    }

    fn argument_type(&self, i: usize) -> Option<Type> {
        let declared = self.fixed.get(i).or(self.rest.as_ref())?;
        Some(declared.ty.clone())
    }

    fn output_type(&self) -> Type {
        F::Output::shape().ty()
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        if arguments.len() < self.fixed.len()
            || (self.rest.is_none() && arguments.len() > self.fixed.len())
        {
            let (want, got) = (self.fixed.len(), arguments.len());
            return Err(FunctionError::new(format!(
                "takes {want} arguments, not {got}"
            )));
        }
        let arguments = F::Arguments::from_values(arguments)?;
        self.function.call(arguments).map(|out| out.to_value())
    }
}
