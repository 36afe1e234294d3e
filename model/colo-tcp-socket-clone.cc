/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// How a ColoTcpSocket becomes a copy of another.
#include "colo-member-access.h"
#include "colo-tcp-socket.h"

#include "ns3/node.h"
#include "ns3/rtt-estimator.h"
#include "ns3/simulator.h"
#include "ns3/tcp-congestion-ops.h"
#include "ns3/tcp-rate-ops.h"
#include "ns3/tcp-recovery-ops.h"
#include "ns3/tcp-rx-buffer.h"
#include "ns3/tcp-tx-buffer.h"
#include "ns3/tcp-tx-item.h"

#include <list>
#include <utility>

namespace ns3
{

using ColoTxItems = std::list<TcpTxItem*>;
using ColoHighestSack = std::pair<ColoTxItems::const_iterator, SequenceNumber32>;

COLO_MEMBER_ACCESS(ColoTxApp, TcpTxBuffer, m_appList, ColoTxItems);
COLO_MEMBER_ACCESS(ColoTxSent, TcpTxBuffer, m_sentList, ColoTxItems);
COLO_MEMBER_ACCESS(ColoTxHighestSack, TcpTxBuffer, m_highestSack, ColoHighestSack);
COLO_MEMBER_ACCESS(ColoTxItemPacket, TcpTxItem, m_packet, Ptr<Packet>);
COLO_MEMBER_ACCESS(ColoTimerEvent, Timer, m_event, EventId);

std::string
ColoTcpSocket::WhyNotCloneable(TypeId congestionControl)
{
    const std::string name = congestionControl.GetName();
    if (name == "ns3::TcpNewReno" || name == "ns3::TcpCubic")
    {
        return "";
    }
    return "a connection with " + name +
           " cannot be cloned exactly; use ns3::TcpNewReno or ns3::TcpCubic";
}

std::string
ColoTcpSocket::WhyNotCloneable() const
{
    const std::string recovery = m_recoveryOps->GetInstanceTypeId().GetName();
    if (recovery != "ns3::TcpPrrRecovery" && recovery != "ns3::TcpClassicRecovery")
    {
        return "a connection with " + recovery + " cannot be cloned exactly";
    }
    return WhyNotCloneable(m_congestionControl->GetInstanceTypeId());
}

void
ColoTcpSocket::CloneFrom(const ColoTcpSocket& original, ColoTwinTimers& timers)
{
    CancelAllTimers();
    CopySettings(original);
    CopyConnection(original);
    CopyCongestionState(original);
    CopyTxBuffer(original);
    CopyTimers(original, timers);
}

void
ColoTcpSocket::CopySettings(const ColoTcpSocket& from)
{
    BindToNetDevice(FindTwinDevice(from.m_boundnetdevice));
    SetIpTos(from.GetIpTos());
    SetPriority(from.GetPriority());
    if (from.IsManualIpTtl())
    {
        SetIpTtl(from.GetIpTtl());
    }
    if (from.IsManualIpv6Tclass())
    {
        SetIpv6Tclass(from.GetIpv6Tclass());
    }
    if (from.IsManualIpv6HopLimit())
    {
        SetIpv6HopLimit(from.GetIpv6HopLimit());
    }

    m_delAckMaxCount = from.m_delAckMaxCount;
    m_noDelay = from.m_noDelay;
    m_synRetries = from.m_synRetries;
    m_dataRetries = from.m_dataRetries;
    m_minRto = from.m_minRto;
    m_clockGranularity = from.m_clockGranularity;
    m_delAckTimeout = from.m_delAckTimeout;
    m_persistTimeout = from.m_persistTimeout;
    m_cnTimeout = from.m_cnTimeout;
    m_msl = from.m_msl;
    m_maxWinSize = from.m_maxWinSize;
    m_retxThresh = from.m_retxThresh;
    m_limitedTx = from.m_limitedTx;
}

void
ColoTcpSocket::CopyConnection(const ColoTcpSocket& from)
{
    m_isn = from.m_isn;
    m_timestampOffset = from.m_timestampOffset;
    m_announcesSize = from.m_announcesSize;
    HookOutput();
    m_state = from.m_state;
    m_errno = from.m_errno;
    m_closeNotified = from.m_closeNotified;
    m_closeOnEmpty = from.m_closeOnEmpty;
    m_shutdownSend = from.m_shutdownSend;
    m_shutdownRecv = from.m_shutdownRecv;
    m_connected = from.m_connected;

    m_synCount = from.m_synCount;
    m_dataRetrCount = from.m_dataRetrCount;
    m_dupAckCount = from.m_dupAckCount;
    m_delAckCount = from.m_delAckCount;
    m_bytesAckedNotProcessed = from.m_bytesAckedNotProcessed;

    m_highTxAck = from.m_highTxAck;
    m_rWnd = from.m_rWnd;
    m_advWnd = from.m_advWnd;
    m_highRxMark = from.m_highRxMark;
    m_highRxAckMark = from.m_highRxAckMark;

    m_sackEnabled = from.m_sackEnabled;
    m_winScalingEnabled = from.m_winScalingEnabled;
    m_rcvWindShift = from.m_rcvWindShift;
    m_sndWindShift = from.m_sndWindShift;
    m_timestampEnabled = from.m_timestampEnabled;
    m_timestampToEcho = from.m_timestampToEcho;

    m_rto = from.m_rto;
    m_history = from.m_history;
    m_rtt = from.m_rtt->Copy();

    // Stored segments are never changed, so both buffers may hold the same ones.
    m_tcb->m_rxBuffer = CopyObject(from.m_tcb->m_rxBuffer);
}

void
ColoTcpSocket::CopyCongestionState(const ColoTcpSocket& from)
{
    m_recover = from.m_recover;
    m_recoverActive = from.m_recoverActive;
    m_isFirstPartialAck = from.m_isFirstPartialAck;
    m_ecnEchoSeq = from.m_ecnEchoSeq;
    m_ecnCESeq = from.m_ecnCESeq;
    m_ecnCWRSeq = from.m_ecnCWRSeq;

    // Member by member: the object must stay, trace sinks and callbacks are connected to it.
    TcpSocketState& to = *m_tcb;
    const TcpSocketState& tcb = *from.m_tcb;
    to.m_cWnd = tcb.m_cWnd;
    to.m_cWndInfl = tcb.m_cWndInfl;
    to.m_ssThresh = tcb.m_ssThresh;
    to.m_initialCWnd = tcb.m_initialCWnd;
    to.m_initialSsThresh = tcb.m_initialSsThresh;
    to.m_isRetransDataAcked = tcb.m_isRetransDataAcked;
    to.m_segmentSize = tcb.m_segmentSize;
    to.m_lastAckedSeq = tcb.m_lastAckedSeq;
    to.m_congState = tcb.m_congState;
    to.m_ecnState = tcb.m_ecnState;
    to.m_highTxMark = tcb.m_highTxMark;
    to.m_nextTxSequence = tcb.m_nextTxSequence;
    to.m_rcvTimestampValue = tcb.m_rcvTimestampValue;
    to.m_rcvTimestampEchoReply = tcb.m_rcvTimestampEchoReply;
    to.m_pacing = tcb.m_pacing;
    to.m_maxPacingRate = tcb.m_maxPacingRate;
    to.m_pacingRate = tcb.m_pacingRate;
    to.m_pacingSsRatio = tcb.m_pacingSsRatio;
    to.m_pacingCaRatio = tcb.m_pacingCaRatio;
    to.m_paceInitialWindow = tcb.m_paceInitialWindow;
    to.m_minRtt = tcb.m_minRtt;
    to.m_bytesInFlight = tcb.m_bytesInFlight;
    to.m_lastRtt = tcb.m_lastRtt;
    to.m_ecnMode = tcb.m_ecnMode;
    to.m_useEcn = tcb.m_useEcn;
    to.m_ectCodePoint = tcb.m_ectCodePoint;
    to.m_lastAckedSackedBytes = tcb.m_lastAckedSackedBytes;

    CopyLaterState(*this, from, 0);

    m_congestionControl = from.m_congestionControl->Fork();
    m_recoveryOps = from.m_recoveryOps->Fork();
    m_rateOps = CopyObject(DynamicCast<TcpRateLinux>(from.m_rateOps));
}

template <typename Self>
auto
ColoTcpSocket::CopyLaterState(Self& to, const Self& from, int)
    -> decltype(from.m_sndFack, from.m_tcb->m_srtt, void())
{
    to.m_fackEnabled = from.m_fackEnabled;
    to.m_sndFack = from.m_sndFack;
    to.m_fackAwnd = from.m_fackAwnd;
    to.m_outstandingRetransBytes = from.m_outstandingRetransBytes;
    to.m_tcb->m_fackAwnd = from.m_tcb->m_fackAwnd;
    to.m_tcb->m_isCwndLimited = from.m_tcb->m_isCwndLimited;
    to.m_tcb->m_srtt = from.m_tcb->m_srtt;
    to.m_tcb->m_abeEnabled = from.m_tcb->m_abeEnabled;
}

template <typename Self>
void
ColoTcpSocket::CopyLaterState(Self&, const Self&, long)
{
}

void
ColoTcpSocket::CopyTxBuffer(const ColoTcpSocket& from)
{
    // TcpTxBuffer's copy constructor copies the pointers to its items, which it owns.
    const auto copyItems = [](ColoTxItems& items) {
        for (TcpTxItem*& item : items)
        {
            auto copy = new TcpTxItem(*item);
            copy->*Member(ColoTxItemPacket()) = item->GetPacketCopy();
            item = copy;
        }
    };
    Ptr<TcpTxBuffer> copy = CopyObject(from.m_txBuffer);
    TcpTxBuffer& buffer = *copy;
    copyItems(buffer.*Member(ColoTxApp()));
    copyItems(buffer.*Member(ColoTxSent()));

    // It also keeps an iterator into the original's list, which is of no list before the first ACK.
    const ColoTxItems& sent = buffer.*Member(ColoTxSent());
    ColoHighestSack& highest = buffer.*Member(ColoTxHighestSack());
    auto item = sent.begin();
    auto originalItem = ((*from.m_txBuffer).*Member(ColoTxSent())).cbegin();
    while (item != sent.end() && originalItem != highest.first)
    {
        ++item;
        ++originalItem;
    }
    highest.first = item;

    buffer.SetRWndCallback(MakeCallback(&ColoTcpSocket::GetRWnd, this));
    m_txBuffer = copy;
}

void
ColoTcpSocket::CopyTimers(const ColoTcpSocket& from, ColoTwinTimers& timers)
{
    m_retxIsControl = from.m_retxIsControl;
    m_retxFlags = from.m_retxFlags;
    timers.Add(from.m_retxEvent, [this](Time left) {
        m_retxEvent =
            m_retxIsControl
                ? Simulator::Schedule(left, &ColoTcpSocket::SendEmptyPacket, this, m_retxFlags)
                : Simulator::Schedule(left, &ColoTcpSocket::ReTxTimeout, this);
    });
    timers.Add(from.m_delAckEvent, [this](Time left) {
        m_delAckEvent = Simulator::Schedule(left, &ColoTcpSocket::DelAckTimeout, this);
    });
    timers.Add(from.m_persistEvent, [this](Time left) {
        m_persistEvent = Simulator::Schedule(left, &ColoTcpSocket::PersistTimeout, this);
    });
    timers.Add(from.m_lastAckEvent, [this](Time left) {
        m_lastAckEvent = Simulator::Schedule(left, &ColoTcpSocket::LastAckTimeout, this);
    });
    timers.Add(from.m_timewaitEvent, [this](Time left) {
        m_timewaitEvent = Simulator::Schedule(left, &ColoTcpSocket::CloseAndNotify, this);
    });
    timers.Add(from.m_sendPendingDataEvent, [this](Time left) {
        m_sendPendingDataEvent =
            Simulator::Schedule(left, &ColoTcpSocket::SendPendingData, this, m_connected);
    });
    timers.Add(from.m_pacingTimer.*Member(ColoTimerEvent()),
               [this](Time left) { m_pacingTimer.Schedule(left); });
}

} // namespace ns3
