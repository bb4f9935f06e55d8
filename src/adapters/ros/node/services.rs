//! The services of the node: the six of ROS 2's parameters, with ranges and read-only flags, and the five of a managed
//! node. Requests in, answers out; what they mean is in [`super::super::parameters`] and [`super::super::lifecycle`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::BoxStream;
use r2r::lifecycle_msgs::{self, srv as lifecycle};
use r2r::rcl_interfaces::{msg, srv};
use r2r::{QosProfile, ServiceRequest};

use super::super::lifecycle::{Ended, STATES, State, TRANSITIONS, Transition};
use super::super::parameters::{Description, Given, ParameterServer};
use super::{Failure, NodeClock, SharedLive, refused};
use crate::config::Value;

type Requests<T> = BoxStream<'static, ServiceRequest<T>>;

fn create<T: r2r::WrappedServiceTypeSupport + 'static>(
    node: &mut r2r::Node,
    name: &str,
) -> Result<Requests<T>, Failure> {
    Ok(node.create_service::<T>(name, QosProfile::services_default()).map_err(refused(name))?.boxed())
}

fn answer<T: r2r::WrappedServiceTypeSupport + 'static>(request: ServiceRequest<T>, response: T::Response) {
    // It fails only when the node is being taken down.
    if let Err(error) = request.respond(response) {
        tracing::debug!("cannot answer a service request: {error}");
    }
}

/// Requests to the parameter services.
pub(super) struct ParameterStreams {
    get: Requests<srv::GetParameters::Service>,
    types: Requests<srv::GetParameterTypes::Service>,
    describe: Requests<srv::DescribeParameters::Service>,
    list: Requests<srv::ListParameters::Service>,
    set: Requests<srv::SetParameters::Service>,
    set_atomically: Requests<srv::SetParametersAtomically::Service>,
    events: r2r::Publisher<msg::ParameterEvent>,
}

/// What parameter services work on.
#[derive(Clone)]
struct Parameters {
    server: Arc<Mutex<ParameterServer>>,
    live: SharedLive,
    node: String,
    clock: NodeClock,
    events: r2r::Publisher<msg::ParameterEvent>,
}

impl ParameterStreams {
    /// Creates the services.
    pub(super) fn create(node: &mut r2r::Node) -> Result<Self, Failure> {
        Ok(Self {
            get: create(node, "~/get_parameters")?,
            types: create(node, "~/get_parameter_types")?,
            describe: create(node, "~/describe_parameters")?,
            list: create(node, "~/list_parameters")?,
            set: create(node, "~/set_parameters")?,
            set_atomically: create(node, "~/set_parameters_atomically")?,
            events: node
                .create_publisher("/parameter_events", QosProfile::parameter_events())
                .map_err(refused("/parameter_events"))?,
        })
    }

    /// Answers requests on tasks of their own.
    pub(super) fn serve(self, server: &Arc<Mutex<ParameterServer>>, live: &SharedLive, node: &str, clock: &NodeClock) {
        let parameters = Parameters {
            server: server.clone(),
            live: live.clone(),
            node: node.to_owned(),
            clock: clock.clone(),
            events: self.events,
        };
        let of = parameters.clone();
        tokio::task::spawn_local(self.get.for_each(move |request| {
            let values = request.message.names.iter().map(|name| value_message(of.locked().get(name))).collect();
            answer(request, srv::GetParameters::Response { values });
            async {}
        }));
        let of = parameters.clone();
        tokio::task::spawn_local(self.types.for_each(move |request| {
            let types = request.message.names.iter().map(|name| value_message(of.locked().get(name)).type_).collect();
            answer(request, srv::GetParameterTypes::Response { types });
            async {}
        }));
        tokio::task::spawn_local(self.describe.for_each(move |request| {
            let describe = |name: &String| descriptor(name, ParameterServer::describe(name));
            let descriptors = request.message.names.iter().map(describe).collect();
            answer(request, srv::DescribeParameters::Response { descriptors });
            async {}
        }));
        tokio::task::spawn_local(self.list.for_each(move |request| {
            let (names, prefixes) = ParameterServer::list(&request.message.prefixes, request.message.depth);
            answer(request, srv::ListParameters::Response { result: msg::ListParametersResult { names, prefixes } });
            async {}
        }));
        let of = parameters.clone();
        tokio::task::spawn_local(self.set.for_each(move |request| {
            let of = of.clone();
            async move {
                let mut results = Vec::new();
                for parameter in &request.message.parameters {
                    results.push(of.set(std::slice::from_ref(parameter)).await);
                }
                answer(request, srv::SetParameters::Response { results });
            }
        }));
        tokio::task::spawn_local(self.set_atomically.for_each(move |request| {
            let of = parameters.clone();
            async move {
                let result = of.set(&request.message.parameters).await;
                answer(request, srv::SetParametersAtomically::Response { result });
            }
        }));
    }
}

impl Parameters {
    fn locked(&self) -> MutexGuard<'_, ParameterServer> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn set(&self, parameters: &[msg::Parameter]) -> msg::SetParametersResult {
        let wanted: Vec<(String, Given)> =
            parameters.iter().map(|parameter| (parameter.name.clone(), given(&parameter.value))).collect();
        let result = self.locked().set_atomically(&wanted);
        match result {
            Ok(()) => {
                self.live.lock().await.parameters_changed();
                self.tell(parameters);
                msg::SetParametersResult { successful: true, reason: String::new() }
            }
            Err(reason) => msg::SetParametersResult { successful: false, reason: super::without_nul(&reason) },
        }
    }

    fn tell(&self, changed: &[msg::Parameter]) {
        let event = msg::ParameterEvent {
            stamp: self.clock.message(),
            node: self.node.clone(),
            new_parameters: Vec::new(),
            changed_parameters: changed.to_vec(),
            deleted_parameters: Vec::new(),
        };
        if let Err(error) = self.events.publish(&event) {
            tracing::debug!("cannot publish a parameter event: {error}");
        }
    }
}

fn given(value: &msg::ParameterValue) -> Given {
    match value.type_ {
        0 => Given::NotSet,
        1 => Given::Value(Value::Bool(value.bool_value)),
        2 => Given::Value(Value::Integer(value.integer_value)),
        3 => Given::Value(Value::Float(value.double_value)),
        4 => Given::Value(Value::Text(value.string_value.clone().into())),
        _ => Given::Array,
    }
}

fn value_message(value: Option<Value>) -> msg::ParameterValue {
    let mut message = msg::ParameterValue::default();
    match value {
        None => {}
        Some(Value::Bool(value)) => (message.type_, message.bool_value) = (1, value),
        Some(Value::Integer(value)) => (message.type_, message.integer_value) = (2, value),
        Some(Value::Float(value)) => (message.type_, message.double_value) = (3, value),
        Some(Value::Text(value)) => (message.type_, message.string_value) = (4, value.into_owned()),
    }
    message
}

fn descriptor(name: &str, description: Option<Description>) -> msg::ParameterDescriptor {
    let Some(description) = description else {
        return msg::ParameterDescriptor { name: name.to_owned(), ..Default::default() };
    };
    let integer = |(from_value, to_value)| msg::IntegerRange { from_value, to_value, step: 0 };
    let float = |(from_value, to_value)| msg::FloatingPointRange { from_value, to_value, step: 0.0 };
    msg::ParameterDescriptor {
        name: description.name,
        type_: description.kind,
        description: description.description,
        additional_constraints: description.additional_constraints,
        read_only: description.read_only,
        dynamic_typing: false,
        floating_point_range: description.floating_point_range.map(float).into_iter().collect(),
        integer_range: description.integer_range.map(integer).into_iter().collect(),
    }
}

/// Requests to the services of a managed node.
pub(super) struct LifecycleStreams {
    change: Requests<lifecycle::ChangeState::Service>,
    state: Requests<lifecycle::GetState::Service>,
    states: Requests<lifecycle::GetAvailableStates::Service>,
    available: Requests<lifecycle::GetAvailableTransitions::Service>,
    graph: Requests<lifecycle::GetAvailableTransitions::Service>,
}

impl LifecycleStreams {
    /// Creates the services.
    pub(super) fn create(node: &mut r2r::Node) -> Result<Self, Failure> {
        Ok(Self {
            change: create(node, "~/change_state")?,
            state: create(node, "~/get_state")?,
            states: create(node, "~/get_available_states")?,
            available: create(node, "~/get_available_transitions")?,
            graph: create(node, "~/get_transition_graph")?,
        })
    }

    /// Answers requests on tasks of their own.
    pub(super) fn serve(self, live: &SharedLive) {
        let of = live.clone();
        tokio::task::spawn_local(self.change.for_each(move |request| {
            let of = of.clone();
            async move {
                let wanted = &request.message.transition;
                let changed = of.lock().await.change(wanted.id, &wanted.label).await;
                if let Err(impossible) = &changed {
                    tracing::warn!("{impossible}");
                }
                answer(request, lifecycle::ChangeState::Response { success: changed == Ok(Ended::Success) });
            }
        }));
        let of = live.clone();
        tokio::task::spawn_local(self.state.for_each(move |request| {
            let of = of.clone();
            async move {
                let current_state = state_message(of.lock().await.lifecycle.state());
                answer(request, lifecycle::GetState::Response { current_state });
            }
        }));
        tokio::task::spawn_local(self.states.for_each(|request| {
            let available_states = STATES.into_iter().map(state_message).collect();
            answer(request, lifecycle::GetAvailableStates::Response { available_states });
            async {}
        }));
        let of = live.clone();
        tokio::task::spawn_local(self.available.for_each(move |request| {
            let of = of.clone();
            async move {
                let available = of.lock().await.lifecycle.available();
                let available_transitions = available.map(transition_message).collect();
                answer(request, lifecycle::GetAvailableTransitions::Response { available_transitions });
            }
        }));
        tokio::task::spawn_local(self.graph.for_each(|request| {
            let available_transitions = TRANSITIONS.iter().map(transition_message).collect();
            answer(request, lifecycle::GetAvailableTransitions::Response { available_transitions });
            async {}
        }));
    }
}

fn state_message(state: State) -> lifecycle_msgs::msg::State {
    lifecycle_msgs::msg::State { id: state.id, label: state.label.to_owned() }
}

fn transition_message(transition: &Transition) -> lifecycle_msgs::msg::TransitionDescription {
    lifecycle_msgs::msg::TransitionDescription {
        transition: lifecycle_msgs::msg::Transition { id: transition.id, label: transition.label.to_owned() },
        start_state: state_message(transition.start),
        goal_state: state_message(transition.goal),
    }
}
