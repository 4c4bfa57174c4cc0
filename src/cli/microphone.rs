//! Sound from the system's default microphone.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{ErrorKind, FromSample, Sample, SampleFormat, SizedSample};

use super::output::remark;
use super::sound::{Sound, WAITING};
use crate::{Error, Result};

/// An open microphone.
pub(super) struct Microphone {
    pub(super) rate_hz: u32,
    pub(super) sound: Sound,
    /// Sound arrives for as long as this lives.
    _stream: cpal::Stream,
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Input(format!("--mic: the microphone cannot be used: {error}"))
}

impl Microphone {
    pub(super) fn open() -> Result<Self> {
        let Some(device) = cpal::default_host().default_input_device() else {
            return Err(Error::Input(
                "--mic: no microphone was found; connect one, or pipe sound to --stream"
                    .to_string(),
            ));
        };
        let config = device.default_input_config().map_err(failed)?;
        let (to, sound) = sync_channel(WAITING * 16);
        let stream = match config.sample_format() {
            SampleFormat::F32 => listen::<f32>(&device, config.config(), to),
            SampleFormat::I16 => listen::<i16>(&device, config.config(), to),
            SampleFormat::I32 => listen::<i32>(&device, config.config(), to),
            SampleFormat::U16 => listen::<u16>(&device, config.config(), to),
            SampleFormat::I8 => listen::<i8>(&device, config.config(), to),
            SampleFormat::U8 => listen::<u8>(&device, config.config(), to),
            other => Err(failed(format!("its samples are {other}"))),
        }?;
        stream.play().map_err(failed)?;
        Ok(Self {
            rate_hz: config.sample_rate(),
            sound,
            _stream: stream,
        })
    }
}

fn listen<T>(
    device: &cpal::Device,
    config: cpal::StreamConfig,
    to: SyncSender<Result<Vec<f32>>>,
) -> Result<cpal::Stream>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels.max(1));
    let errors = to.clone();
    let heard = move |data: &[T], _: &cpal::InputCallbackInfo| {
        let mixed = data.chunks_exact(channels).map(|frame| {
            let sum: f32 = frame.iter().map(|&sample| f32::from_sample(sample)).sum();
            sum / channels as f32
        });
        // The sound card does not wait. Sound is lost if the model is too slow, which is reported.
        if let Err(TrySendError::Full(_)) = to.try_send(Ok(mixed.collect())) {
            remark("--mic: the model is too slow for the sound, a part of which is lost");
        }
    };
    let broken = move |error: cpal::Error| match error.kind() {
        ErrorKind::DeviceChanged | ErrorKind::Xrun | ErrorKind::RealtimeDenied => {
            remark(&format!("--mic: {error}"));
        }
        _ => {
            // The receiver may be gone.
            let _ = errors.try_send(Err(failed(error)));
        }
    };
    device
        .build_input_stream(config, heard, broken, None)
        .map_err(failed)
}
