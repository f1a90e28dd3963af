//! A proxy on loopback that does to requests and replies what networks and busy servers do.
//!
//! It takes HTTP/1.1 apart as far as it must to hurt one request or one reply, and passes everything else on as it came, the
//! `Host` header too, so that signatures hold. What is hurt is drawn from a seed and from what is asked for, not from the
//! order in which requests come.

mod plan;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{Rng as _, rngs::StdRng};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};

pub use plan::{Harm, Plan};
use wire::{Head, Reply};

/// A proxy before one server; it ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    address: SocketAddr,
    state: Arc<State>,
    /// What listens, unless it is down.
    listening: Mutex<Option<JoinHandle<()>>>,
    runtime: Runtime,
}

#[derive(Debug)]
struct State {
    server: String,
    plan: Mutex<Plan>,
    /// How often each thing was asked for.
    asked: Mutex<BTreeMap<String, u64>>,
    /// How often each harm was done.
    done: Mutex<BTreeMap<Harm, u64>>,
    /// Requests of a busy server that are under way.
    seats: Arc<AtomicUsize>,
}

/// How long a busy server takes for a request at least.
const MOMENT: Duration = Duration::from_millis(10);

/// Whether a busy server takes a request.
enum Seat {
    /// It isn't busy.
    Free,
    Taken(#[expect(dead_code, reason = "it ends with the request")] Taken),
    None,
}

struct Taken(Arc<AtomicUsize>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Proxy {
    /// Starts a proxy before `http://host:port/…`.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn start(endpoint: &str, plan: Plan) -> Self {
        let rest = endpoint.strip_prefix("http://").expect("test servers speak plain HTTP on loopback");
        let (server, base) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let url = format!("http://{address}{base}");
        let state = Arc::new(State {
            server: server.to_owned(),
            plan: Mutex::new(plan),
            asked: Mutex::default(),
            done: Mutex::default(),
            seats: Arc::default(),
        });
        let listening = runtime.spawn(accept(listener, Arc::clone(&state)));
        Self { url, address, state, listening: Mutex::new(Some(listening)), runtime }
    }

    /// From now on connections are refused, and those that stand are cut.
    ///
    /// # Panics
    /// After a panic of another call.
    pub fn go_down(&self) {
        if let Some(listening) = self.listening.lock().unwrap().take() {
            listening.abort();
            let _ = self.runtime.block_on(listening);
        }
    }

    /// It answers again, at the same address.
    ///
    /// # Panics
    /// When another has taken the address.
    pub fn come_up(&self) {
        let listener = self.runtime.block_on(TcpListener::bind(self.address)).expect("the address is free");
        let listening = self.runtime.spawn(accept(listener, Arc::clone(&self.state)));
        *self.listening.lock().unwrap() = Some(listening);
    }

    /// What a client names as its endpoint: the proxy's address with the server's path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on another plan; the counts start anew.
    ///
    /// # Panics
    /// After a panic of a connection's task.
    pub fn set(&self, plan: Plan) {
        *self.state.plan.lock().unwrap() = plan;
        self.state.asked.lock().unwrap().clear();
        self.state.done.lock().unwrap().clear();
    }

    /// How often that harm was done.
    ///
    /// # Panics
    /// After a panic of a connection's task.
    #[must_use]
    pub fn done(&self, harm: Harm) -> u64 {
        self.state.done.lock().unwrap().get(&harm).copied().unwrap_or_default()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        // A broken connection is what this is for.
        connections.spawn(async move { drop(serve(BufReader::new(client), &state).await) });
    }
}

/// Requests of one connection, one after the other, until one of them ends it.
async fn serve(mut client: BufReader<TcpStream>, state: &State) -> io::Result<()> {
    client.get_ref().set_nodelay(true)?;
    while let Some(request) = Head::read(&mut client).await? {
        if !one(&mut client, &request, state).await? {
            break;
        }
    }
    Ok(())
}

/// One request and its reply. Whether the connection goes on.
async fn one(client: &mut BufReader<TcpStream>, request: &Head, state: &State) -> io::Result<bool> {
    let length = request.length().unwrap_or(0);
    let seat = state.seat();
    if matches!(seat, Seat::None) {
        take(client, length).await?;
        state.count(Harm::Throttle);
        return give(client, &Reply::throttled(true, 0)).await;
    }
    if matches!(seat, Seat::Taken(_)) {
        tokio::time::sleep(MOMENT).await;
    }
    let Some((harm, mut random)) = state.draw(request) else {
        let body = take(client, length).await?;
        let reply = state.forward(request, &body, request.is("HEAD")).await?;
        return give(client, &reply).await;
    };
    if harm == Harm::CutRequest {
        state.count(harm);
        let some = take(client, if length > 0 { random.random_range(0..length) } else { 0 }).await?;
        if length > 0 {
            let mut server = TcpStream::connect(&state.server).await?;
            server.write_all(&[request.bytes(), &some].concat()).await?;
            server.flush().await?;
        }
        return Ok(false);
    }
    let mut body = take(client, length).await?;
    match harm {
        Harm::Throttle => {
            state.count(harm);
            return give(client, &Reply::throttled(random.random(), 1)).await;
        }
        Harm::Firewall => {
            state.count(harm);
            return give(client, &Reply::firewall(request.is("HEAD"))).await;
        }
        Harm::Hang => {
            state.count(harm);
            // The connection ends when the client gives up, or with the proxy.
            return client.read_u8().await.map(|_| false);
        }
        Harm::Delay => {
            state.count(harm);
            tokio::time::sleep(Duration::from_millis(random.random_range(20..300))).await;
        }
        Harm::FlipRequest if !body.is_empty() => {
            state.count(harm);
            flip(&mut body, &mut random);
        }
        _ => {}
    }
    let reply = state.forward(request, &body, request.is("HEAD")).await?;
    hurt(client, reply, harm, &mut random, state).await
}

/// Passes a reply on, and does to it what is to be done.
async fn hurt(
    client: &mut BufReader<TcpStream>,
    mut reply: Reply,
    harm: Harm,
    random: &mut StdRng,
    state: &State,
) -> io::Result<bool> {
    match harm {
        Harm::CutReply => {
            state.count(harm);
            let bytes = reply.bytes();
            client.get_mut().write_all(&bytes[..random.random_range(0..bytes.len())]).await?;
            return Ok(false);
        }
        Harm::Truncate if !reply.body.is_empty() => {
            state.count(harm);
            let full = reply.body.len();
            reply.body.truncate(random.random_range(0..full));
            if random.random() {
                reply.declare(reply.body.len());
            } else {
                client.get_mut().write_all(&reply.bytes()).await?;
                return Ok(false);
            }
        }
        Harm::FlipReply if reply.is_object() => {
            state.count(harm);
            flip(&mut reply.body, random);
        }
        _ => {}
    }
    give(client, &reply).await
}

async fn take(client: &mut BufReader<TcpStream>, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    client.read_exact(&mut body).await?;
    Ok(body)
}

async fn give(client: &mut BufReader<TcpStream>, reply: &Reply) -> io::Result<bool> {
    client.get_mut().write_all(&reply.bytes()).await?;
    client.get_mut().flush().await?;
    Ok(!reply.closes())
}

fn flip(body: &mut [u8], random: &mut StdRng) {
    let at = random.random_range(0..body.len());
    body[at] ^= 1 << random.random_range(0..8);
}

impl State {
    /// What is to be done to that request, if anything, and the dice for the details.
    fn draw(&self, request: &Head) -> Option<(Harm, StdRng)> {
        let plan = self.plan.lock().unwrap();
        let what = plan.subject(request.method(), request.target());
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(what.clone()).or_default();
        *times += 1;
        plan.draw(&what, *times)
    }

    fn seat(&self) -> Seat {
        let Some(most) = self.plan.lock().unwrap().most() else { return Seat::Free };
        let taken = self.seats.fetch_add(1, Ordering::SeqCst);
        let seat = Taken(Arc::clone(&self.seats));
        if taken < most { Seat::Taken(seat) } else { Seat::None }
    }

    fn count(&self, harm: Harm) {
        *self.done.lock().unwrap().entry(harm).or_default() += 1;
    }

    /// Sends a request on, over a connection of its own, and reads the reply whole.
    async fn forward(&self, request: &Head, body: &[u8], headless: bool) -> io::Result<Reply> {
        let mut server = BufReader::new(TcpStream::connect(&self.server).await?);
        server.get_ref().set_nodelay(true)?;
        server.get_mut().write_all(request.bytes()).await?;
        server.get_mut().write_all(body).await?;
        server.get_mut().flush().await?;
        Reply::read(&mut server, headless).await
    }
}
