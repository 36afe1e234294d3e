/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_LINK_DEVICE_H
#define COLO_LINK_DEVICE_H

#include "colo-link-channel.h"

#include "ns3/data-rate.h"
#include "ns3/error-model.h"
#include "ns3/mac48-address.h"
#include "ns3/node.h"
#include "ns3/nstime.h"
#include "ns3/packet.h"
#include "ns3/pcap-file-wrapper.h"
#include "ns3/queue.h"
#include "ns3/simple-net-device.h"
#include "ns3/traced-callback.h"

#include <string>
#include <utility>

namespace ns3
{

/** \ingroup colo What a link is like, in each direction. */
struct ColoLinkOptions
{
    DataRate rate{0};                     //!< 0 for a link of memory, as a guest's tap is
    Time delay;                           //!< one way
    double loss{0};                       //!< probability that a frame is lost
    double reorder{0};                    //!< probability that a frame comes later
    double duplicate{0};                  //!< probability that a frame comes twice
    Time reorderDelay{MicroSeconds(100)}; //!< how much later
};

/**
 * \ingroup colo
 *
 * One end of a point-to-point Ethernet link that shows what it sends as whole frames. Both ends of
 * a link together show all that is on it.
 */
class ColoLinkDevice : public SimpleNetDevice
{
  public:
    /** A link's two ends. */
    using Ends = std::pair<Ptr<ColoLinkDevice>, Ptr<ColoLinkDevice>>;

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Join two nodes.
     * \param a gets the first end.
     * \param b gets the second.
     * \param options the link.
     * \return the ends, with addresses of their own.
     */
    static Ends Connect(Ptr<Node> a, Ptr<Node> b, const ColoLinkOptions& options);
    /**
     * Join two nodes by a link that does nothing to frames but delay them.
     * \param a gets the first end.
     * \param b gets the second.
     * \param rate of both directions; 0 for a link of memory, as a guest's tap is.
     * \param delay of both directions.
     * \return the ends, with addresses of their own.
     */
    static Ends Connect(Ptr<Node> a, Ptr<Node> b, DataRate rate, Time delay);
    /**
     * \param ends a link that was made by Connect().
     * \return its cable.
     */
    static Ptr<ColoLinkChannel> GetCable(const Ends& ends);

    /**
     * Write what both ends of a link send into one capture.
     * \param ends the link.
     * \param file name of the capture.
     * \return the capture, which tells whether it could be written.
     */
    static Ptr<PcapFileWrapper> EnablePcap(const Ends& ends, const std::string& file);

    /** \return whether the cable is whole. */
    bool IsLinkUp() const override;
    bool Send(Ptr<Packet> packet, const Address& dest, uint16_t protocol) override;
    bool SendFrom(Ptr<Packet> packet,
                  const Address& source,
                  const Address& dest,
                  uint16_t protocol) override;

  private:
    void Sniff(Ptr<const Packet> packet,
               const Address& source,
               const Address& dest,
               uint16_t protocol);

    bool m_isWire{true}; //!< else of memory, as a guest's tap
    TracedCallback<Ptr<const Packet>> m_snifferTrace;
};

} // namespace ns3

#endif /* COLO_LINK_DEVICE_H */
