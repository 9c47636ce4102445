//! The parameters of a Burn module as a list.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// A float parameter of a module.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// What Burn knows its gradient and its optimiser state by.
    pub id: ParamId,
    /// Where Burn meets it: the names of the modules that hold it, joined by dots, such as `encoder.layers.0.weight`.
    pub path: String,
    /// The same without the variants of enums: that a module is one of several kinds is not part of the name.
    pub name: String,
    /// The shape of the tensor.
    pub shape: Vec<usize>,
    /// Its numbers in one row, in the graph where the module is.
    pub value: Tensor<1>,
}

impl Parameter {
    /// All float parameters of a module, in the order in which visitors and mappers meet them.
    pub fn of<M: Module>(module: &M) -> Vec<Self> {
        let mut walk = Walk::default();
        module.visit(&mut walk);
        walk.found
    }
}

/// A walk through a module.
#[derive(Default)]
struct Walk {
    /// The names of the modules that it is in, each with whether it is a variant of an enum.
    names: Vec<(String, bool)>,
    found: Vec<Parameter>,
}

impl Walk {
    fn joined(&self, shown: impl Fn(bool) -> bool) -> String {
        let names = self.names.iter().filter(|(_, variant)| shown(*variant)).map(|(name, _)| name.as_str());
        names.collect::<Vec<_>>().join(".")
    }
}

impl ModuleVisitor for Walk {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.names.push((name.to_owned(), container.starts_with("Enum:")));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.names.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (path, name, value) = (self.joined(|_| true), self.joined(|variant| !variant), param.val());
        let shape = value.dims();
        let value = value.reshape([shape.iter().product::<usize>()]);
        self.found.push(Parameter { id: param.id, path, name, shape: shape.to_vec(), value });
    }
}
